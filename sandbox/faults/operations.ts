import type { Operation } from '../api/operation.ts';

const oauthOperations: [method: string, path: string, id: string][] = [
  ['GET', '/.well-known/oauth-authorization-server', 'metadata'],
  ['GET', '/.well-known/jwks.json', 'jwks'],
  ['GET', '/oauth2/authorize', 'authorize'],
  ['POST', '/oauth2/authorize', 'authorize'],
  ['POST', '/oauth2/token', 'token'],
  ['POST', '/oauth2/register', 'register'],
  ['POST', '/oauth2/revoke', 'revoke'],
];

/** Says which operation a request is, so that a fault can be limited to it. */
export function createOperationFinder(operations: Operation[]) {
  const patterns = [
    ...oauthOperations,
    ...operations.map(({ method, path, id }) => [method, `/api/v1${path}`, id] as const),
  ].map(([method, path, id]) => {
    const source = path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+');
    return { method, pattern: new RegExp(`^${source}/?$`), id };
  });
  return (method: string, path: string): string | undefined =>
    patterns.find((entry) => entry.method === method && entry.pattern.test(path))?.id;
}
