import { NeonpanelError, type ApiResponse } from '../../adapters/neonpanel/neonpanel.ts';
import { isObject } from '../json-text.ts';
import type { Structured } from './tool.ts';

/**
 * NeonPanel's answer as structured content, unchanged, plus `retry_after_seconds` where it said so.
 *
 * @throws NeonpanelError kind `unavailable` when the answer is not a JSON object
 */
export function structured(response: ApiResponse): Structured {
  if (!isObject(response.body)) {
    throw new NeonpanelError('unavailable', 'NeonPanel answered in an unreadable form', {
      status: response.status,
      detail: `expected a JSON object, got ${Array.isArray(response.body) ? 'a list' : typeof response.body}`,
    });
  }
  if (response.retryAfterSeconds === undefined) return response.body;
  return { ...response.body, retry_after_seconds: response.retryAfterSeconds };
}
