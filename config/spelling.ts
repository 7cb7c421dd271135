import { VARIABLES } from './schema.ts';

/**
 * Finds variables of the environment that look like ours but are not, such as PUBLICURL or NEONPANEL_URI: a misspelled
 * variable is otherwise silently ignored and its default used. Values are never repeated.
 *
 * @returns one sentence per suspect
 */
export function suspectVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env)
    .filter((name) => env[name] && !(VARIABLES as string[]).includes(name))
    .flatMap((name) => {
      const meant = nearest(name);
      if (meant) return [`${name} is not a variable of this server; did you mean ${meant}?`];
      return name.startsWith('NEONPANEL_') ? [`${name} is not a variable of this server.`] : [];
    });
}

/** Short names such as HOST are near to too many innocent ones (HOSTS, PORTS): only their letters' case may differ. */
function nearest(name: string): string | undefined {
  const plain = normalise(name);
  return OURS.find(({ target }) => {
    if (plain === target) return true;
    // By so many letters the lengths differ at least; counting changes takes longer than the rest of a start's checks.
    if (target.length < 8 || Math.abs(target.length - plain.length) > MAX_CHANGES) return false;
    return distance(plain, target) <= MAX_CHANGES;
  })?.name;
}

const MAX_CHANGES = 2;

const normalise = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, '');

const OURS = VARIABLES.map((name) => ({ name, target: normalise(name) }));

/** Levenshtein distance: how many letters were added, dropped or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const change = row[j]! + (letter === other ? 0 : 1);
      next.push(Math.min(change, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
