import { Counter, Histogram, type Registry } from 'prom-client';
import { AUDIT_EVENTS, type AuditEvent } from '../audit.ts';
import type { Facts } from '../facts.ts';
import { causeOf } from './causes.ts';
import { SECONDS } from './requests.ts';

/** Events of the audit log that are counted by their outcome. Tokens and tool calls are told apart further. */
const BY_OUTCOME: Partial<Record<AuditEvent, { name: string; help: string; label?: string }>> = {
  registration: { name: 'registrations', help: 'Registrations of clients.' },
  authorization: { name: 'authorizations', help: 'Authorization requests; each begins and ends.' },
  consent: { name: 'consents', help: 'Consent pages that were shown, and how they were answered.' },
  login: { name: 'logins', help: 'Logins at NeonPanel.' },
  revocation: { name: 'revocations', help: 'Requests to the revocation endpoint.' },
  introspection: { name: 'introspections', help: 'Requests to the introspection endpoint.' },
  'grant.ended': {
    name: 'grants_ended',
    help: 'Connections that ended before their time.',
    label: 'reason',
  },
  'neonpanel.refresh': {
    name: 'credential_refreshes',
    help: 'Renewals of users’ credentials at NeonPanel; "refused" ends a connection.',
  },
  'neonpanel.revocation': {
    name: 'credential_revocations',
    help: 'Credentials that NeonPanel was told to end.',
  },
  'keys.changed': { name: 'key_changes', help: 'Changes of the signing keys.', label: 'change' },
};

const GRANT_TYPES = new Set(['authorization_code', 'refresh_token', 'client_credentials']);
/**
 * `gone` is a refresh token that we signed, of whose grant the store knows nothing. It was ended, has expired, or was lost
 * by the store: one token can't tell, but their number beside that of the grants that were ended can.
 */
const REFRESH_RESULTS = ['success', 'rejected', 'limited', 'gone', 'our_fault'] as const;

/** @param tools names of all tools */
export function countAudit(
  registers: Registry[],
  tools: readonly string[],
): (line: Facts['audit']) => void {
  const counted = new Map(Object.entries(BY_OUTCOME).map((entry) => counter(registers, entry)));
  const tokens = new Counter({
    name: 'neonpanel_mcp_token_requests_total',
    help: 'Requests to the token endpoint.',
    labelNames: ['grant_type', 'outcome', 'cause'],
    registers,
  });
  const refreshes = new Counter({
    name: 'neonpanel_mcp_refreshes_total',
    help: 'Integrity of the refresh chains: "success", "rejected" for a reason of the client’s, "limited", "gone" if there is no grant to a token of ours, or "our_fault".',
    labelNames: ['result'],
    registers,
  });
  for (const result of REFRESH_RESULTS) refreshes.inc({ result }, 0);
  const calls = new Counter({
    name: 'neonpanel_mcp_tool_calls_total',
    help: 'Tool calls; "refused" by NeonPanel or for a scope, "failed" on NeonPanel’s side or ours.',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  for (const tool of tools) {
    for (const outcome of AUDIT_EVENTS['tool.call'].outcomes) calls.inc({ tool, outcome }, 0);
  }
  const seconds = new Histogram({
    name: 'neonpanel_mcp_tool_call_duration_seconds',
    help: 'Time of tool calls, NeonPanel’s included.',
    labelNames: ['tool'],
    buckets: SECONDS,
    registers,
  });
  const known = new Set(tools);

  return function count({ event, outcome: given, ...line }) {
    const outcome = String(given);
    counted.get(event as AuditEvent)?.(outcome);
    if (event === 'token') {
      const grant_type = GRANT_TYPES.has(line.grant_type as string)
        ? (line.grant_type as string)
        : 'other';
      const cause = causeOf(line.error, line.cause);
      tokens.inc({ grant_type, outcome, cause });
      if (grant_type === 'refresh_token') refreshes.inc({ result: resultOf(outcome, cause) });
    }
    if (event === 'tool.call') {
      const tool = known.has(line.tool as string) ? (line.tool as string) : 'unknown';
      calls.inc({ tool, outcome });
      if (typeof line.ms === 'number') seconds.observe({ tool }, line.ms / 1_000);
    }
  };
}

function resultOf(outcome: string, cause: string): (typeof REFRESH_RESULTS)[number] {
  if (outcome === 'success') return 'success';
  if (outcome === 'failed') return 'our_fault';
  if (cause === 'limit') return 'limited';
  return cause === 'grant_ended' ? 'gone' : 'rejected';
}

/** All its outcomes are there from the start, as zero: what appears with its first event has not risen. */
function counter(
  registers: Registry[],
  [event, { name, help, label = 'outcome' }]: [
    string,
    { name: string; help: string; label?: string },
  ],
) {
  const total = new Counter({
    name: `neonpanel_mcp_${name}_total`,
    help,
    labelNames: [label],
    registers,
  });
  for (const outcome of AUDIT_EVENTS[event as AuditEvent].outcomes)
    total.inc({ [label]: outcome }, 0);
  return [event as AuditEvent, (outcome: string) => total.inc({ [label]: outcome })] as const;
}
