const FROM = /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])([^'"]+)\1/gm;
const BARE = /^\s*import\s*(['"])([^'"]+)\1/gm;
const DYNAMIC = /\bimport\s*\(\s*(['"])([^'"]+)\1/g;

/** Every module a source file names in its imports and re-exports, types and dynamic imports included. */
export function importsOf(source: string): string[] {
  const found = [FROM, BARE, DYNAMIC].flatMap((form) => [...source.matchAll(form)]);
  return [...new Set(found.map((match) => match[2]!))];
}

/** The package of a specifier: `@scope/name/deep` → `@scope/name`. */
export function packageOf(specifier: string): string {
  const [first, second] = specifier.split('/');
  return first!.startsWith('@') ? `${first}/${second}` : first!;
}
