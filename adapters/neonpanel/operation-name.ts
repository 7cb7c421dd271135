import { operations } from './openapi/operations.ts';

/** What is asked of NeonPanel beside its API, by the end of the path. */
const LOGIN: readonly (readonly [RegExp, string])[] = [
  [/\/\.well-known\/oauth-authorization-server$/, 'metadata'],
  [/jwks(\.json)?$/, 'jwks'],
  [/\/token$/, 'token'],
  [/\/revoke$/, 'revoke'],
  [/\/register(\/|$)/, 'register'],
];

/** `{companyUuid}` stands for one segment. */
const API = operations.map(({ id, method, path }) => ({
  id,
  method: method.toUpperCase(),
  form: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
}));

/** The operation's name in /openapi.json, the part of the login, or `other`. */
export function operationOf(method: string, path: string): string {
  const operation = API.find((each) => each.method === method && each.form.test(path));
  return operation?.id ?? LOGIN.find(([form]) => form.test(path))?.[1] ?? 'other';
}
