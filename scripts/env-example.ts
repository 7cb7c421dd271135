import { readFileSync, writeFileSync } from 'node:fs';
import { aboutVariable, VARIABLES } from '../config/schema.ts';

/**
 * Writes .env.example from the schema; with --check it only says whether the file is up to date.
 */

const FILE = new URL('../.env.example', import.meta.url);

/** Every variable, commented out: a copy of the file changes nothing until a line is filled in. */
export function envExample(): string {
  const intro = [
    '# Every variable of this server. All are optional on a developer machine; a line that is empty or missing means',
    '# the default. Copy to .env, which `npm start` reads, and remove the # in front of what you set. If something is',
    '# wrong, the server says so at start, all at once.',
  ];
  const entries = VARIABLES.flatMap((name) => {
    const { about, fallback } = aboutVariable(name);
    return ['', `# ${about}${fallback ? ` Default: ${fallback}` : ''}`, `#${name}=`];
  });
  return [...intro, ...entries, ''].join('\n');
}

if (import.meta.main) {
  const fresh = existing() === envExample();
  if (!process.argv.includes('--check')) writeFileSync(FILE, envExample());
  else if (!fresh) {
    console.error('.env.example is stale: run node scripts/env-example.ts');
    process.exitCode = 1;
  }
}

function existing(): string | undefined {
  try {
    return readFileSync(FILE, 'utf8');
  } catch {
    return undefined;
  }
}
