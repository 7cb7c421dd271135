import type { Document, Step } from '../step.ts';

const HINTS = ['readOnlyHint', 'destructiveHint', 'openWorldHint'];
/** Of the whole list, in bytes: beyond, models lose sight of it, and some clients cut it. */
const MAX_LIST_BYTES = { ours: 40_000, others: 100_000 };

/** What models and clients make of the tools depends on how they are described. */
export const toolDefinitionSteps: readonly Step[] = [
  {
    id: 'tools-schemas',
    title: 'Their schemas are flat enough for every client',
    needs: ['tools'],
    run({ facts }, says) {
      for (const { name, inputSchema } of facts.tools!) {
        const problem = schemaProblem(inputSchema);
        if (!problem) continue;
        says.fail(
          `the schema of ${name}: ${problem}; some clients then show no tool at all`,
          'Inline everything: root type object, no $ref or definitions, no oneOf/anyOf/allOf at the root, items for every array.',
        );
      }
    },
  },
  {
    id: 'tools-hints',
    title: 'Each says whether it reads, destroys or reaches out',
    needs: ['tools'],
    run({ facts }, says) {
      const bad = facts.tools!.filter(({ annotations }) =>
        HINTS.some((hint) => typeof annotations?.[hint] !== 'boolean'),
      );
      if (bad.length === 0) return;
      says.fail(
        `${bad.length} tools leave out ${HINTS.join(', ')}, e.g. ${bad[0]!.name}; ChatGPT then hides them or asks each time`,
        'Set all three explicitly on every tool.',
      );
    },
  },
  {
    id: 'tools-size',
    title: 'The list is short enough for a model',
    needs: ['tools'],
    run({ facts }, says) {
      const bytes = Buffer.byteLength(JSON.stringify(facts.tools));
      const limit = facts.ours ? MAX_LIST_BYTES.ours : MAX_LIST_BYTES.others;
      says.note(`${bytes} bytes`);
      if (bytes <= limit) return;
      says.fail(
        `the list of tools has ${bytes} bytes, more than ${limit}`,
        'Shorten descriptions, drop repeated schemas, offer fewer tools.',
      );
    },
  },
];

function schemaProblem(schema: Document | undefined): string | undefined {
  if (schema?.type !== 'object') return 'its root is not of type object';
  const root = ['oneOf', 'anyOf', 'allOf', 'not'].find((word) => word in schema);
  if (root) return `${root} at the root`;
  return nestedProblem(schema, 0);
}

function nestedProblem(schema: unknown, depth: number): string | undefined {
  if (typeof schema !== 'object' || schema === null || depth > 20) return undefined;
  const word = ['$ref', '$defs', 'definitions'].find((name) => name in schema);
  if (word) return `uses ${word}`;
  if ((schema as Document).type === 'array' && !('items' in schema))
    return 'an array without items';
  for (const value of Object.values(schema)) {
    const problem = nestedProblem(value, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}
