import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commit, machine } from './machine.ts';
import { PROJECT } from './process.ts';

export const PERFORMANCE = join(PROJECT, 'docs/performance.md');

/**
 * Replaces what the suite wrote into a page before, between two comments, and says what it was measured on.
 *
 * @param name of the part, as in its comments: `<!-- sizes: written by … -->` and `<!-- /sizes -->`
 * @throws if the page has no such part
 */
export function writePart(file: string, name: string, text: string): void {
  const page = readFileSync(file, 'utf8');
  const found = new RegExp(`(<!-- ${name}:[^\n]*-->\n)[\\s\\S]*?(\n<!-- /${name} -->)`).exec(page);
  if (!found) throw new Error(`${file} has no part called ${name}`);
  const [whole, begin, end] = found;
  const measured = `Measured ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine()}.`;
  const written = `${begin}\n${text}\n\n${measured}\n${end}`;
  writeFileSync(
    file,
    page.replace(whole, () => written),
  );
}
