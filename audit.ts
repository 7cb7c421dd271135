import { tell } from './facts.ts';
import type { Log } from './log.ts';
import { withoutSecrets } from './redaction.ts';
import { OIDC_SCOPES, RESOURCE_SCOPES } from './resource.ts';

/**
 * The audit log: who connected what, what became of it, and why. These are all its events and all their fields. A line
 * is built here, field by field, each brought into its form: whatever else a caller holds can't get in, by type and at run
 * time. docs/audit.md says what they mean, and a test compares the two.
 */

/** Each field's form. Texts of strangers are cut, and lose whatever could be a secret. */
const FORMS = {
  client_id: id,
  client_name: (value: string) => withoutSecrets(value, 100),
  redirect_uris: (values: readonly string[]) => values.slice(0, 10).map(withoutQuery),
  auth_method: word,
  /** The authorization: the id of the interaction, which becomes the id of the grant. */
  grant: id,
  /** NeonPanel's id of the user, in the clear: see docs/audit.md. */
  subject,
  grant_type: word,
  scope: knownScopes,
  error: word,
  cause: (value: string) => withoutSecrets(value, 200),
  tool: (value: string) => (/^[A-Za-z]{1,31}$/.test(value) ? value : 'unknown'),
  companies: (values: readonly string[]) => values.filter((v) => COMPANY.test(v)).slice(0, 20),
  /** NeonPanel's HTTP status. */
  status: whole,
  kids,
  /** The key that `keys retire` took away. */
  retired: kid,
  /** The keys that `keys prune` dropped. */
  pruned: kids,
  /** Milliseconds it took. */
  ms: whole,
  /** Of the admin command: `keys rotate`. */
  command: (value: string) => (/^[a-z]{1,20}(?: [a-z-]{1,20})?$/.test(value) ? value : 'other'),
  /** The system's user who ran it. */
  actor: (value: string) => withoutSecrets(value, 64),
  /** Our client at NeonPanel, or that of a service account: NeonPanel's id of it. */
  neonpanel_client: neonpanelClient,
  /** How many records it was about. */
  count: whole,
};

const REFUSAL = ['error', 'cause', 'ms'] as const;

export const AUDIT_EVENTS = {
  registration: {
    outcomes: ['success', 'refused', 'failed'],
    fields: ['client_id', 'client_name', 'redirect_uris', 'auth_method', ...REFUSAL],
  },
  authorization: {
    outcomes: ['started', 'success', 'refused', 'failed'],
    fields: ['client_id', 'grant', ...REFUSAL],
  },
  consent: {
    outcomes: ['shown', 'approved', 'denied', 'refused'],
    fields: ['client_id', 'grant', 'scope', ...REFUSAL],
  },
  login: {
    outcomes: ['success', 'denied', 'refused', 'failed'],
    fields: ['client_id', 'grant', 'subject', ...REFUSAL],
  },
  'account.login': {
    outcomes: ['success', 'denied', 'refused', 'failed'],
    fields: ['subject', ...REFUSAL],
  },
  'account.logout': {
    outcomes: ['success', 'refused', 'failed'],
    fields: ['subject', ...REFUSAL],
  },
  'account.disconnect': {
    outcomes: ['success', 'refused', 'failed'],
    fields: ['grant', 'subject', 'count', ...REFUSAL],
  },
  token: {
    outcomes: ['success', 'refused', 'failed'],
    fields: ['grant_type', 'client_id', 'grant', 'subject', 'scope', ...REFUSAL],
  },
  revocation: {
    outcomes: ['success', 'ignored', 'refused', 'failed'],
    fields: ['client_id', 'grant', ...REFUSAL],
  },
  introspection: {
    outcomes: ['active', 'inactive', 'refused', 'failed'],
    fields: ['client_id', 'grant', ...REFUSAL],
  },
  'grant.ended': {
    outcomes: [
      'revoked',
      'disconnected',
      'code_replayed',
      'refresh_token_replayed',
      'refused_by_neonpanel',
    ],
    fields: ['client_id', 'grant', 'subject'],
  },
  'neonpanel.refresh': {
    outcomes: ['success', 'refused', 'unavailable'],
    fields: ['client_id', 'grant', 'subject', 'status', 'cause', 'ms'],
  },
  'neonpanel.revocation': {
    outcomes: ['success', 'failed'],
    fields: ['client_id', 'grant', 'subject', 'status', 'cause', 'ms'],
  },
  'tool.call': {
    outcomes: ['success', 'refused', 'failed'],
    fields: ['tool', 'companies', 'client_id', 'grant', 'subject', 'status', 'error', 'ms'],
  },
  admin: {
    outcomes: ['success', 'refused', 'failed'],
    fields: [
      'command',
      'actor',
      'client_id',
      'grant',
      'subject',
      'kids',
      'retired',
      'pruned',
      'neonpanel_client',
      'count',
      'cause',
    ],
  },
  'keys.changed': {
    outcomes: ['created', 'restored', 'rotated', 'pruned', 'noticed'],
    fields: ['kids'],
  },
} as const satisfies Record<
  string,
  { readonly outcomes: readonly string[]; readonly fields: readonly AuditField[] }
>;

export type AuditEvent = keyof typeof AUDIT_EVENTS;
export type AuditField = keyof typeof FORMS;
export type Outcome<E extends AuditEvent> = (typeof AUDIT_EVENTS)[E]['outcomes'][number];

/** What may be said of an event: its outcome, and of its fields those that are known. */
export type AuditFacts<E extends AuditEvent> = { readonly outcome: Outcome<E> } & {
  readonly [F in (typeof AUDIT_EVENTS)[E]['fields'][number]]?:
    Parameters<(typeof FORMS)[F]>[0] | undefined;
};

/**
 * Writes one line of the audit log, at every LOG_LEVEL but `silent`.
 * @param log the request's own, which adds the request id
 */
export function audit<E extends AuditEvent>(log: Log, event: E, facts: AuditFacts<E>): void {
  const { outcomes, fields } = AUDIT_EVENTS[event];
  const given = facts as Readonly<Record<string, unknown>>;
  const outcome = (outcomes as readonly unknown[]).includes(given.outcome)
    ? given.outcome
    : 'unknown';
  const line: Record<string, unknown> = { audit: true, event, outcome };
  for (const field of fields) {
    const value = given[field];
    if (value !== undefined && value !== null) line[field] = FORMS[field](value as never);
  }
  const isWritten = log.level === 'silent' || log.isLevelEnabled('info');
  (isWritten ? log : log.child({}, { level: 'info' })).info(line);
  tell(log, 'audit', line);
}

/**
 * An id of ours has exactly 43 characters of base64url, which no token, code or client secret has. Others are shorter, or
 * addresses.
 */
function id(value: string): string {
  return /^[\w-]{43}$/.test(value) ? value : withoutSecrets(value, 200);
}

/** A user's is a number of NeonPanel; that of a service client is made from its id. */
function subject(value: string): string {
  return /^service:[\w-]{43}$/.test(value) ? value : withoutSecrets(value, 64);
}

/** NeonPanel's ids have the form of its companies' ids, which is the form of no secret of ours or its. */
function neonpanelClient(value: string): string {
  return COMPANY.test(value) ? value : withoutSecrets(value, 64);
}

function kid(value: string): string {
  return withoutSecrets(value, 30);
}

function kids(values: readonly string[]): string[] {
  return values.map(kid);
}

/** 40 hex digits or a UUID. */
const COMPANY = /^(?:[0-9a-f]{40}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** A code of a protocol; what looks different is not repeated. */
function word(value: string): string {
  return /^(?:urn:ietf:params:oauth:grant-type:)?[a-z_-]{1,31}$/.test(value) ? value : 'other';
}

function knownScopes(value: string): string {
  const asked = value.split(' ');
  return [...OIDC_SCOPES, ...RESOURCE_SCOPES].filter((scope) => asked.includes(scope)).join(' ');
}

function whole(value: number): number {
  return Math.round(value);
}

function withoutQuery(uri: string): string {
  return withoutSecrets(uri.split(/[?#]/)[0]!, 200);
}
