import { randomUUID } from 'node:crypto';
import type { AuthInfo, CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import { isMiss, NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { WRITE } from '../../resource.ts';
import { challengeHeader, METADATA_PATH } from '../challenge.ts';
import { type Account, auditCall, exchangeIn } from './account.ts';
import { companyMiss } from './company.ts';
import { scopesOf } from './definitions.ts';
import { withoutEchoes } from './echoes.ts';
import { reportProgress } from './progress.ts';
import { failure, refused, scopeMissing, success, unexpected } from './result.ts';
import type { Structured, Tool, ToolContext } from './tool.ts';

export interface CallOptions {
  /**
   * What a tool gets for one call of one caller.
   *
   * @param signal aborted when the client has gone
   */
  contextFor(authInfo: AuthInfo, signal: AbortSignal): Promise<ToolContext> | ToolContext;
  publicUrl: string;
  log: Log;
}

/** One call. The caller is read from this request and nowhere else; whatever happens becomes a result. */
export async function callTool(
  tool: Tool,
  args: unknown,
  ctx: ServerContext,
  options: CallOptions,
): Promise<CallToolResult> {
  const authInfo = ctx.http?.authInfo;
  const account: Account = { outcome: 'success' };
  const call = { tool, args, authInfo, requestId: requestIdOf(authInfo), account, options };
  const started = performance.now();
  const stopProgress = reportProgress(ctx);
  try {
    return await perform(call, ctx.mcpReq.signal);
  } finally {
    stopProgress();
    auditCall(authInfo, options.log, tool.name, account, performance.now() - started);
  }
}

interface Call {
  readonly tool: Tool;
  readonly args: unknown;
  readonly authInfo: AuthInfo | undefined;
  readonly requestId: string;
  /** Filled in as it becomes known. */
  readonly account: Account;
  readonly options: CallOptions;
}

async function perform(call: Call, signal: AbortSignal): Promise<CallToolResult> {
  const { tool, args, authInfo, requestId, account, options } = call;
  // The transport's scope challenge asks the same; this one holds whatever the transport.
  if (authInfo === undefined || !authInfo.scopes.includes(tool.scope)) return refuseScope(call);
  let context: ToolContext | undefined;
  try {
    const noteCompanies = (companies: readonly string[]) => void (account.companies = companies);
    context = { ...(await options.contextFor(authInfo, signal)), noteCompanies };
    // The SDK has parsed them by this very tool's schema.
    const structured = await tool.run(args as never, context);
    const checked = tool.output.safeParse(structured);
    if (checked.success) return success(structured);
    Object.assign(account, { outcome: 'failed', error: 'answer_unexpected' });
    const paths = checked.error.issues.slice(0, 10).map(({ path }) => path.join('.'));
    logOf(call).error({ event: 'tool.answer_unexpected', tool: tool.name, paths });
    return unknownForm(structured, requestId);
  } catch (error) {
    return failed(call, context ? await explain(error, args, context) : error);
  }
}

/** NeonPanel says 403 or 404 for a company that is not the user's; which ones are is more help than its number. */
async function explain(error: unknown, args: unknown, context: ToolContext): Promise<unknown> {
  if (!isMiss(error)) return error;
  return (await companyMiss(Object(args), context).catch(() => undefined)) ?? error;
}

/**
 * An answer that breaks the schema we published goes out as an error with the same JSON: clients check good results
 * against that schema and would drop this one without a word.
 */
function unknownForm(structured: Structured, requestId: string): CallToolResult {
  const json = JSON.stringify(structured);
  const shown = json.length <= MAX_SHOWN_CHARACTERS ? `:\n${json}` : ', too large to show.';
  return refused(
    `NeonPanel carried out the request, so do not repeat a change. Its answer has a form this connector does not know${shown}`,
    requestId,
  );
}

const MAX_SHOWN_CHARACTERS = 100_000;

function failed(call: Call, error: unknown): CallToolResult {
  const { tool, args, authInfo, requestId, account, options } = call;
  if (!(error instanceof NeonpanelError || error instanceof Refusal)) {
    Object.assign(account, { outcome: 'failed', error: 'server_error' });
    logOf(call).error({ event: 'tool.failed', tool: tool.name, err: error });
    return unexpected(requestId, tool.scope === WRITE);
  }
  const reason = error instanceof NeonpanelError ? error.kind : error.code;
  const { status, detail } = error;
  const isOurs = reason === 'unavailable' || (status !== undefined && status >= 500);
  Object.assign(account, { outcome: isOurs ? 'failed' : 'refused', error: reason, status });
  if (detail !== undefined) {
    // NeonPanel's own words, but not what it repeats of the user's document.
    const words = withoutEchoes(detail, args);
    logOf(call).info({ event: 'tool.problem', tool: tool.name, status, detail: words });
  }
  const result = failure(error, requestId);
  const mustSignIn = status === 401 || reason === 'unauthorized' || reason === 'refused';
  if (!mustSignIn) return result;
  return { ...result, ...challenge('invalid_token', tool, authInfo, options) };
}

function refuseScope({ tool, authInfo, requestId, account, options }: Call): CallToolResult {
  const error = authInfo === undefined ? 'invalid_token' : 'insufficient_scope';
  Object.assign(account, { outcome: 'refused', error });
  const text =
    authInfo === undefined
      ? 'This tool needs the user to sign in to NeonPanel first.'
      : scopeMissing(tool);
  return { ...refused(text, requestId), ...challenge(error, tool, authInfo, options) };
}

/** The sign-in prompt of a result that is HTTP 200 anyway: ChatGPT reads it there. */
function challenge(
  error: 'invalid_token' | 'insufficient_scope',
  tool: Tool,
  authInfo: AuthInfo | undefined,
  options: CallOptions,
): Pick<CallToolResult, '_meta'> {
  const metadataUrl = authInfo?.resourceMetadataUrl ?? `${options.publicUrl}${METADATA_PATH}/mcp`;
  const description = error === 'invalid_token' ? 'Sign in again' : 'More permission is needed';
  // Whoever signs in again asks for what a 401 names: with less, the new sign-in would have lost what the old one had.
  const scopes = error === 'insufficient_scope' ? { scopes: scopesOf(tool) } : {};
  const header = challengeHeader(metadataUrl, { error, description, ...scopes });
  return { _meta: { 'mcp/www_authenticate': [header] } };
}

/** The id under which the HTTP edge logs this request, or one of our own. */
export const requestIdOf = (authInfo: AuthInfo | undefined): string =>
  exchangeIn(authInfo)?.requestId ?? randomUUID();

const logOf = ({ authInfo, requestId, options }: Call): Log =>
  exchangeIn(authInfo)?.log ?? options.log.child({ request_id: requestId });
