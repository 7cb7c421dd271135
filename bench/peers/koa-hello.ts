import Koa from 'koa';

/** The least that koa can do: what the framework alone costs. */
const app = new Koa();
app.use((ctx) => {
  ctx.body = 'hello';
});
app.listen(Number(process.env['PORT']), 'localhost');
