/**
 * The switchboard of faults. A fault that is on applies to the requests it is limited to, until it is
 * switched off or has happened `times` times. faults/effects.ts says what most of them do to a request;
 * those that belong to the token endpoint are asked for where tokens are made.
 */
export type RequestFacts = {
  method: string;
  path: string;
  /** An operation id of the API (listCompanies …) or metadata, jwks, authorize, token, register, revoke. */
  operation: string | undefined;
};

export type FaultOptions = {
  /** Happen so often, then switch off. Without it: until cleared. */
  times?: number;
  /** Only paths that begin so; each fault has a sensible default. */
  path?: string;
  operation?: string;
  method?: string;
  /** slow: how long. */
  ms?: number;
  /** rate-limit: Retry-After; token-lifetime: expires_in. */
  seconds?: number;
  /** huge-body: how large. */
  megabytes?: number;
};

export type FaultName = keyof typeof catalogue;
export type ActiveFault = { name: FaultName; hits: number } & FaultOptions;

export type FaultSwitchboard = {
  /** Switches a fault on; the same fault on the same requests is replaced. */
  set(name: FaultName, options?: FaultOptions): void;
  /** Switches off one fault, or all. */
  clear(name?: FaultName): void;
  list(): ActiveFault[];
  /** For what is not done to requests: whether it is on. */
  isOn(name: FaultName): boolean;
  /** If the fault applies to this request: counts it and returns its options. */
  take(name: FaultName, request: RequestFacts): FaultOptions | undefined;
};

const api = '/api/';
const token = '/oauth2/token';

/** Every fault: where it happens unless told otherwise, and what it does. */
export const catalogue = {
  'expired-token': { path: api, does: '401, as for an expired token' },
  forbidden: { path: api, does: '403' },
  unprocessable: { path: api, does: '422 with errors' },
  'rate-limit': { path: api, does: '429 with Retry-After: `seconds` (7)' },
  'html-500': { path: api, does: '500, an HTML page with a stack trace' },
  'require-per-page': { path: api, does: '500, an HTML page, for lists asked without per_page' },
  slow: { path: '/', does: 'waits `ms` (1000), then answers' },
  hang: { path: '/', does: 'never answers' },
  garbage: { path: api, does: '200 application/json that is not JSON' },
  'wrong-content-type': { path: api, does: 'the right answer, as text/html' },
  'huge-body': { path: api, does: '200 with `megabytes` (20) of valid JSON' },
  reset: { path: '/', does: 'resets the connection' },
  cut: { path: '/', does: 'sends half of the answer, then closes the connection' },
  'refuse-refresh': { path: token, does: 'refresh_token grant: invalid_grant' },
  'lose-refresh-answer': { path: token, does: 'rotates the refresh token, then hangs up' },
  'no-expires-in': { path: token, does: 'token answer without expires_in' },
  'ignore-basic': { path: token, does: 'HTTP Basic is not looked at, only the form' },
  'no-rotation': { path: token, does: 'refresh tokens stay as they are' },
  'token-lifetime': { path: token, does: 'access tokens live for `seconds` (3600)' },
  'registration-500': { path: '/oauth2/register', does: '500, an HTML page' },
  'offer-revocation': {
    path: '/',
    does: 'is on, and not limited: metadata names a revocation endpoint (RFC 7009), and it works',
  },
  'rotate-jwks': { path: '/', does: 'at once and once: a new signing key replaces the old one' },
} as const;

export function isFaultName(name: unknown): name is FaultName {
  return typeof name === 'string' && Object.hasOwn(catalogue, name);
}

export function createSwitchboard(rotateKeys: () => void): FaultSwitchboard {
  let active: ActiveFault[] = [];
  const place = ({ name, path, operation, method }: { name: string } & FaultOptions) =>
    JSON.stringify([name, path, operation, method]);

  return {
    set(name, options = {}) {
      if (name === 'rotate-jwks') return rotateKeys();
      const fault = { name, hits: 0, ...options };
      active = [...active.filter((other) => place(other) !== place(fault)), fault];
    },
    clear(name) {
      active = name ? active.filter((fault) => fault.name !== name) : [];
    },
    list: () => active.map((fault) => ({ ...fault })),
    isOn: (name) => active.some((fault) => fault.name === name),
    take(name, request) {
      const fault = active.find((candidate) => candidate.name === name && fits(candidate, request));
      if (!fault) return undefined;
      fault.hits++;
      if (fault.hits === fault.times) active = active.filter((other) => other !== fault);
      return fault;
    },
  };
}

function fits(fault: ActiveFault, request: RequestFacts): boolean {
  const prefix = fault.path ?? (fault.operation ? '/' : catalogue[fault.name].path);
  if (fault.operation !== undefined && fault.operation !== request.operation) return false;
  if (fault.method !== undefined && fault.method.toUpperCase() !== request.method) return false;
  return request.path.startsWith(prefix) && !request.path.startsWith('/_sandbox');
}
