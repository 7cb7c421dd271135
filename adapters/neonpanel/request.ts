import { NeonpanelError, type ApiRequest, type QueryValue } from './neonpanel.ts';

/** How a list is spelled in a query: `k[]=a&k[]=b` (what PHP reads) or `k=a&k=b` (what OpenAPI's default says). */
export type ArrayStyle = 'brackets' | 'repeat';

/** Plain segments only: no dot segments, empty segments, query, fragment, space, backslash or control character. */
const FORBIDDEN_IN_PATH = /\.\.|\/\/|\/\.(?:\/|$)|[?#\\]|[^\x21-\x7e]|%(?:2e|2f|5c|00)/i;

/**
 * The request target of a call: base path, path and query.
 *
 * @param basePath path of NEONPANEL_API_URL without a trailing slash, e.g. `/api/v1`
 * @throws NeonpanelError kind `rejected` for a path that could leave the API; nothing is sent then
 */
export function requestTarget(
  basePath: string,
  request: Pick<ApiRequest, 'path' | 'query'>,
  arrayStyle: ArrayStyle,
): string {
  if (!request.path.startsWith('/') || FORBIDDEN_IN_PATH.test(request.path)) {
    throw new NeonpanelError('rejected', 'The request path is not acceptable', {
      detail: 'path refused before sending',
    });
  }
  const query = queryString(request.query ?? {}, arrayStyle);
  return basePath + request.path + (query && `?${query}`);
}

function queryString(query: Readonly<Record<string, QueryValue>>, arrayStyle: ArrayStyle): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'string' || typeof value === 'number') {
      parameters.append(name, String(value));
      continue;
    }
    const key = arrayStyle === 'brackets' ? `${name}[]` : name;
    for (const element of value) parameters.append(key, String(element));
  }
  return parameters.toString();
}

/** Headers of a call. `identity`: we cap what we read, so nobody may hand us a small body that unfolds. */
export function requestHeaders(request: ApiRequest): Record<string, string> {
  return {
    authorization: `Bearer ${request.accessToken}`,
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'neonpanel-mcp',
    ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}
