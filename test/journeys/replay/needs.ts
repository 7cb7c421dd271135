import { decodeJwt } from 'jose';
import type { Received, Stage } from './stage.ts';

/** What clients need from an answer to go on. */

export interface Server {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
  readonly revocation_endpoint: string;
  readonly scopes_supported: readonly string[];
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
  readonly id_token?: string;
}

/** A 401 that starts a sign-in: where the metadata is, and what to ask for (RFC 9728 §5.1). */
export function needsChallenge({ t }: Stage, answer: Received) {
  t.is(answer.status, 401, answer.text);
  const header = answer.headers.get('www-authenticate') ?? '';
  t.regex(header, /^Bearer /);
  if (answer.text !== '') {
    t.is(typeof answer.json.error, 'string');
    t.is(typeof answer.json.error_description, 'string');
  }
  const parameter = (name: string) => new RegExp(`${name}="([^"]+)"`).exec(header)?.[1];
  t.is(parameter('scope'), 'neonpanel.read neonpanel.write');
  return {
    resourceMetadata: parameter('resource_metadata')!,
    scope: parameter('scope')!,
    error: parameter('error'),
  };
}

/** @returns `resource`, to be sent back exactly as it stands */
export function needsResource(
  { t, url, address }: Stage,
  answer: Received,
  compare: 'equal' | 'prefix' = 'equal',
): string {
  t.is(answer.status, 200, answer.text);
  const { resource, authorization_servers, scopes_supported } = answer.json;
  t.deepEqual(authorization_servers, [url]);
  t.deepEqual(scopes_supported, ['neonpanel.read', 'neonpanel.write']);
  const [named, pasted] = [new URL(resource).href, new URL(address).href];
  if (compare === 'equal') t.is(named, pasted);
  else t.true(pasted.startsWith(named), `${named} for ${pasted}`);
  return resource;
}

export function needsServer({ t, url }: Stage, answer: Received): Server {
  t.is(answer.status, 200, answer.text);
  const server = answer.json;
  t.is(server.issuer, url);
  t.deepEqual(server.code_challenge_methods_supported, ['S256']);
  t.true(server.authorization_response_iss_parameter_supported);
  // Without these two Claude and others would register instead of naming their document.
  t.true(server.client_id_metadata_document_supported);
  t.true(server.token_endpoint_auth_methods_supported.includes('none'));
  for (const [name, endpoint] of Object.entries(server))
    if (name.endsWith('_endpoint')) t.true(String(endpoint).startsWith(`${url}/`), name);
  return server;
}

export function needsTokens({ t, url }: Stage, answer: Received): Tokens {
  t.is(answer.status, 200, answer.text);
  t.is(answer.headers.get('cache-control'), 'no-store');
  const tokens = answer.json;
  t.is(tokens.token_type, 'Bearer');
  t.is(tokens.expires_in, 3600);
  t.is(typeof tokens.refresh_token, 'string');
  t.is(decodeJwt(tokens.access_token).aud, `${url}/mcp`);
  t.is(decodeJwt(tokens.access_token).iss, url);
  return tokens;
}

/** The result of a JSON-RPC request, whichever way it is framed. */
export function needsResult({ t }: Stage, answer: Received) {
  t.is(answer.status, 200, answer.text);
  t.is(answer.json.jsonrpc, '2.0');
  t.is(answer.json.error, undefined);
  return answer.json.result;
}

/** Everything by which clients decide what to show and what to ask about: without it ChatGPT lists nothing. */
export function needsTools(stage: Stage, answer: Received): void {
  const { t } = stage;
  const { tools } = needsResult(stage, answer);
  t.is(tools.length, 16);
  for (const { name, annotations, inputSchema, outputSchema, _meta } of tools) {
    for (const hint of ['readOnlyHint', 'destructiveHint', 'openWorldHint'])
      t.is(typeof annotations[hint], 'boolean', `${name} ${hint}`);
    t.is(inputSchema.type, 'object', name);
    t.is(outputSchema.type, 'object', name);
    t.is(_meta.securitySchemes[0].type, 'oauth2', name);
    t.true(_meta['openai/toolInvocation/invoking'].length <= 64, name);
    t.true(_meta['openai/toolInvocation/invoked'].length <= 64, name);
  }
}

/** The companies of the person who signed in, for programs and for models. */
export function needsCompanies(stage: Stage, answer: Received, expected = COMPANIES): void {
  const { t } = stage;
  const result = needsResult(stage, answer);
  t.not(result.isError, true, answer.text);
  const names = result.structuredContent.data.map((company: any) => company.short_name);
  t.deepEqual(names, expected);
  t.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
}

const COMPANIES = ['HPH', 'NLO', 'TWP'];

/** What makes a client drop its tokens and ask the person to connect again: never anything else than this. */
export function needsDeadGrant({ t }: Stage, answer: Received): void {
  t.is(answer.status, 400, answer.text);
  t.is(answer.json.error, 'invalid_grant');
}
