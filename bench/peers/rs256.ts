import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

/**
 * The limit of any server that gives out RS256 access tokens: it reads the request, makes one signature and answers.
 * Signed synchronously, which costs the least CPU.
 */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'https://limit.example',
      sub: '1',
      aud: 'mcp',
      iat: now,
      exp: now + 3600,
    };
    const header = base64url({ alg: 'RS256', typ: 'at+jwt', kid: '1' });
    const client_id = form.get('client_id') ?? '';
    const signed = `${header}.${base64url({ ...claims, jti: randomUUID(), client_id })}`;
    const signature = sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        access_token: `${signed}.${signature}`,
        token_type: 'Bearer',
        expires_in: 3600,
        refresh_token: randomUUID(),
        scope: 'read',
      }),
    );
  });
}).listen(Number(process.env['PORT']));
