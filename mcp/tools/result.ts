import type { CallToolResult } from '@modelcontextprotocol/server';
import type { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../../errors.ts';
import { plain, sentence } from './plain.ts';
import type { Structured } from './tool.ts';

const MAX_FIELDS = 10;

/** A good result. The text is the same JSON, because many clients show the model only that. */
export function success(structured: Structured): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(structured) }],
    structuredContent: structured,
  };
}

/**
 * A failed call as a model can use it: what happened and what to do, in our words. NeonPanel's body never appears;
 * of its validation messages only those that read like sentences do.
 *
 * @param requestId finds the call in the log
 */
export function failure(error: NeonpanelError | Refusal, requestId: string): CallToolResult {
  return refused(error instanceof Refusal ? refusalText(error) : neonpanelText(error), requestId);
}

/** An error result with a text of its own. */
export function refused(text: string, requestId: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: `${text}\nRequest id: ${requestId}` }] };
}

/**
 * A failure that is our own mistake: nothing about it is for strangers.
 *
 * @param writes whether something may have been changed before it happened
 */
export const unexpected = (requestId: string, writes: boolean): CallToolResult =>
  refused(
    writes
      ? 'This tool failed for a reason on the side of the NeonPanel connector, and the change may or may not have been carried out. Do not repeat it: ask the user to check in NeonPanel first, and give them the request id.'
      : 'This tool failed for a reason on the side of the NeonPanel connector. Try again once; if it fails again, tell the user and give them the request id.',
    requestId,
  );

/** Why a tool is refused to a token that is good for others. In ASCII: it goes into a header, too. */
export const scopeMissing = ({ name, scope }: { name: string; scope: string }): string =>
  `The user has not allowed this: ${name} needs ${scope}. Ask them to reconnect NeonPanel and to allow it there.`;

function refusalText(refusal: Refusal): string {
  const wait = refusal.retryAfterSeconds;
  return (
    refusal.description +
    (wait === undefined ? '' : ` Wait ${seconds(wait)}, then repeat the call.`)
  );
}

function neonpanelText(error: NeonpanelError): string {
  const wait = error.retryAfterSeconds;
  switch (error.kind) {
    case 'rejected':
      return rejectedText(error);
    case 'forbidden':
      return 'Not permitted: the signed-in NeonPanel user has no access to this company or resource. Use listCompanies to see which companies are available; if this one should be, the user needs to ask an administrator in NeonPanel. Repeating the call will not help.';
    case 'rate_limited':
      return `NeonPanel asks for fewer requests. Wait ${seconds(wait ?? 60)}, then repeat the call.`;
    case 'unauthorized':
    case 'refused':
      return 'NeonPanel no longer accepts the sign-in of this user. Ask the user to reconnect NeonPanel in the settings of this app, then repeat the call.';
    case 'too_large':
      return 'NeonPanel’s answer is too large to pass on. Ask for less: a shorter period, one company, a smaller page, or figures grouped by month.';
    case 'unavailable':
      return `NeonPanel did not give a usable answer in time. Nothing is wrong with the request: ${wait === undefined ? 'try it again once' : `wait ${seconds(wait)} and try it again once`}, then tell the user that NeonPanel is not reachable at the moment.`;
  }
}

function rejectedText(error: NeonpanelError): string {
  const problems = problemsOf(error);
  const detail = problems.length > 0 ? ` NeonPanel says:\n${problems.join('\n')}` : '';
  switch (error.status) {
    case 404:
      return 'NeonPanel knows no such record in this company. Take ids from listCompanies, listInventoryItems, listWarehouses or the answer that named the request_id, and check that they belong to this company.';
    case 422:
      return `NeonPanel did not accept some values. Correct them and call again.${detail}`;
    default:
      return `NeonPanel refused the request${error.status === undefined ? '' : ` (${error.status})`}. Correct it before calling again.${detail}`;
  }
}

/** Field by field, only what reads like a message to a user. */
function problemsOf(error: NeonpanelError): string[] {
  return Object.entries(error.fields ?? {})
    .slice(0, MAX_FIELDS)
    .flatMap(([field, messages]) => {
      const said = messages.flatMap((message) => sentence(message) ?? []);
      const name = field === 'message' ? '' : `${plain(field, 60)}: `;
      return said.length > 0 || name !== '' ? [`- ${name}${said.join(' ') || 'not accepted'}`] : [];
    });
}

const seconds = (count: number): string => (count === 1 ? '1 second' : `${count} seconds`);
