import { isMiss } from '../../../adapters/neonpanel/neonpanel.ts';
import { isObject } from '../../json-text.ts';
import { structured } from '../answer.ts';
import type { Query, Structured, ToolContext } from '../tool.ts';

/**
 * The records of one of NeonPanel's lists. Of a company in which the user may not see them there are none: a search over
 * several companies must not fail because of one.
 *
 * @param path built by `pathOf`
 */
export async function listOf(
  { neonpanel }: ToolContext,
  path: string,
  query?: Query,
): Promise<Structured[]> {
  try {
    const { data } = structured(await neonpanel.get(path, query));
    return Array.isArray(data) ? data.filter(isObject) : [];
  } catch (error) {
    if (isMiss(error)) return [];
    throw error;
  }
}
