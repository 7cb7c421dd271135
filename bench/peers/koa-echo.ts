import Koa from 'koa';

/** The least a koa application does for a JSON request: read the body, parse it, answer it. */
const app = new Koa();
app.use(async (ctx) => {
  const chunks: Buffer[] = [];
  for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  ctx.body = text === '' ? {} : (JSON.parse(text) as object);
});
app.listen(Number(process.env['PORT']));
