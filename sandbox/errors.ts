/** A refusal: thrown where it happens, rendered by the edge (http/edge.ts) as JSON. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** The API's plain shape: 400, 401, 403, 404, 413, 415, 429. */
export function refuse(status: number, message: string, headers?: Record<string, string>): Refusal {
  return new Refusal(status, { message }, headers);
}

export function unauthenticated(): Refusal {
  return refuse(401, 'Unauthenticated.', { 'WWW-Authenticate': 'Bearer' });
}

export function forbidden(): Refusal {
  return refuse(403, 'This action is unauthorized.');
}

export function notFound(what = 'Not Found'): Refusal {
  return refuse(404, what);
}

/** Laravel's shape of 422: the first message, and every message by field. */
export function invalid(errors: Record<string, string[]>): Refusal {
  const messages = Object.values(errors).flat();
  const others = messages.length - 1;
  const more = others > 0 ? ` (and ${others} more error${others > 1 ? 's' : ''})` : '';
  return new Refusal(422, { message: `${messages[0]}${more}`, errors });
}

/** An OAuth error as a JSON answer (RFC 6749 §5.2). */
export function oauthRefusal(
  error: string,
  description: string,
  status = 400,
  headers: Record<string, string> = {},
): Refusal {
  const body = { error, error_description: description, error_uri: errorUri(error) };
  return new Refusal(status, body, { 'Cache-Control': 'no-store', ...headers });
}

function errorUri(error: string): string {
  return `https://docs.sandbox.example/oauth/errors#${error}`;
}
