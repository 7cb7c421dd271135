import type { Context } from 'koa';
import type { Reader } from '../views/render.ts';
import { pageHeaders } from './headers.ts';
import { canSwitchLanguage, describeLanguage, languageOf } from './language.ts';

/**
 * Answers with one of our pages, in the reader's language and under the pages' policy.
 *
 * @param draw one of views/render.ts
 * @param options.uiLocales of the authorization request that the page is about
 * @param options.script the page loads our script
 */
export function answerPage(
  ctx: Context,
  draw: (reader: Reader) => string,
  options: { uiLocales?: unknown; script?: boolean } = {},
): void {
  const language = languageOf(ctx, options.uiLocales);
  pageHeaders(ctx, options);
  describeLanguage(ctx, language);
  ctx.type = 'html';
  ctx.body = draw({ language, canSwitch: canSwitchLanguage(ctx) });
}
