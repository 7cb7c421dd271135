import { isObject } from '../../json-text.ts';
import { formatId, type RecordId } from './ids.ts';

/**
 * Where a person finds a record. NeonPanel gives links of reports; of other records it documents no address, so that theirs
 * opens the application, and the part behind # only tells one citation from another.
 *
 * @param webUrl the origin of NeonPanel
 * @param record as NeonPanel answered it
 */
export function linkOf(id: RecordId, webUrl: string, record?: unknown): string {
  const link = isObject(record) ? record['link'] : undefined;
  if (typeof link === 'string' && URL.parse(link)?.protocol === 'https:') return link;
  return `${webUrl}/app#${formatId(id)}`;
}
