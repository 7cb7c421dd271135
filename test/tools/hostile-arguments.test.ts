import test from 'ava';
import fc from 'fast-check';
import { Refusal } from '../../errors.ts';
import { definitionsOf } from '../../mcp/tools/definitions.ts';
import { argumentsOf } from '../../mcp/tools/input.ts';
import { tools } from '../../mcp/tools/index.ts';
import type { Tool } from '../../mcp/tools/tool.ts';
import { argsOf } from './support/fixtures.ts';
import { recordingUpstream, type Sent } from './support/upstream.ts';

/** Whatever is called with whatever: what may be asked of NeonPanel is written down here once. */

const COMPANY = 'companies/[0-9a-f]{40}';
const ID = '[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*';
const PATHS = new RegExp(
  `^/(?:companies|reports(?:/\\d+)?|revenue-and-cogs|import/bill/instructions` +
    `|permissions/[A-Za-z0-9]+(?:[:._-][A-Za-z0-9]+)*/companies` +
    `|${COMPANY}/(?:inventory-items(?:/[1-9]\\d*/(?:balances|landed-cost|cogs))?` +
    `|warehouses(?:/${ID}/balances)?|create/bill|import/bill/pdf|import/bill/status/${ID}))$`,
);
const CASES = process.env.LONG_TESTS ? 1_000_000 : 10_000;

const checkedBy = new Map(
  definitionsOf(tools).map((definition, index) => [
    definition.name,
    argumentsOf(tools[index]!.input, definition.inputSchema),
  ]),
);

/** What the server does with arguments, and what NeonPanel hears of it. A refusal is fine, anything else that is thrown is not. */
async function call(tool: Tool, args: unknown): Promise<{ refused: boolean; sent: Sent[] }> {
  const { sent, context } = recordingUpstream();
  const result = await checkedBy.get(tool.name)!['~standard'].validate(args);
  if (result.issues) return { refused: true, sent };
  try {
    await tool.run(result.value as never, context);
    return { refused: false, sent };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { refused: true, sent };
  }
}

const hostileIds = [
  ...['.', '..', '../', '../../admin', '..\\..\\admin', '/', '//', '/admin', 'a/b', 'a/../b'],
  ...['%2e%2e', '%2E%2E%2F', '..%2f', '%252e%252e', '%2f', '%00', '%5c', '..;/', '.%2e', '%c0%ae'],
  ...['?x=1', '7?per_page=1', 'a&b=c', '#', '7#x', ';x', '7;x=1', '@evil', 'a@b', ':80', '[::1]'],
  ...['\u0000', '7\u0000', '7\n', '7\r\nX: y', '\t7', '7 8', '\u2028', '\u200b7', '\u202e7'],
  ...['．．', '／admin', '７', 'é', 'e\u0301', '😀', '\ud800', 'http://evil.example/', '//evil'],
  ...['__proto__', '{id}', '${id}', '*', '7,8', "7'--", '"', '<x>', '`', '-', '_', 'x'.repeat(201)],
];
/** Arguments that become a segment of a path; a company's name is looked up first and only its uuid sent. */
const SEGMENTS = ['companyUuid', 'inventoryId', 'warehouseUuid', 'requestId', 'type', 'permission'];

for (const tool of tools) {
  const names = SEGMENTS.filter((name) => name in tool.input.shape);
  if (names.length === 0) continue;
  test(`[T44] ${tool.name}: no hostile ${names.join(', ')} leads to another path`, async (t) => {
    for (const name of names) {
      for (const id of [...hostileIds, [hostileIds[0]], { toString: 'x' }, null, true, 1e99, -1]) {
        const { refused, sent } = await call(tool, { ...argsOf(tool.name), [name]: id });
        t.true(refused, `${name} ${JSON.stringify(id)}`);
        for (const { path } of sent) t.regex(path, PATHS, `${name} ${JSON.stringify(id)}`);
        if (name !== 'companyUuid' && refused)
          t.deepEqual(sent, [], `${name} ${JSON.stringify(id)}`);
      }
    }
    t.true(hostileIds.length >= 40);
  });
}

const poisons = ['__proto__', 'constructor', 'prototype'].flatMap((key) => [
  `{"${key}":{"polluted":1}}`,
  `{"a":{"${key}":{"polluted":1}}}`,
  `{"a":[[{"${key}":null}]]}`,
  `{"${key}":{"prototype":{"polluted":1}}}`,
]);

for (const tool of tools) {
  test(`[T45] ${tool.name}: nothing that reaches for a prototype is taken or passed on`, async (t) => {
    const before = prototypes();
    const text = JSON.stringify(argsOf(tool.name));
    for (const poison of poisons) {
      const inside = Object.keys(argsOf(tool.name)).map((name) => `{"${name}":${poison}}`);
      for (const extra of [poison, `{"params":${poison}}`, ...inside]) {
        // As it would come out of JSON.parse: `__proto__` is an own key.
        const joined = text === '{}' ? extra : `${text.slice(0, -1)},${extra.slice(1)}`;
        for (const args of [
          joined,
          `{"params":${joined}}`,
          `{"input":${JSON.stringify(joined)}}`,
        ]) {
          const { refused, sent } = await call(tool, JSON.parse(args));
          t.true(refused, args);
          t.deepEqual(sent, [], args);
        }
      }
    }
    t.deepEqual(prototypes(), before);
    t.is(({} as { polluted?: unknown }).polluted, undefined);
  });

  test(`[T44] [T45] ${tool.name}: no JSON at all gets more than a refusal or its own path`, async (t) => {
    const before = prototypes();
    const text = fc.oneof(fc.string(), fc.constantFrom(...hostileIds), fc.constant('constructor'));
    const json = fc.oneof(text, fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<unknown>);
    const names = [...Object.keys(tool.input.shape), '__proto__', 'params', 'arguments', 'x'];
    const args = fc.oneof(
      json,
      fc
        .array(fc.tuple(fc.constantFrom(...names), json), { maxLength: 3 })
        .map((changes) => merged(argsOf(tool.name), changes)),
    );
    await fc.assert(
      fc.asyncProperty(args, async (value) => {
        const { sent } = await call(tool, value);
        return sent.every(({ path }) => PATHS.test(path));
      }),
      { numRuns: Math.ceil(CASES / tools.length) },
    );
    t.deepEqual(prototypes(), before);
  });
}

test('[T45] what is sent as `data` arrives at NeonPanel as it was, with nothing added', async (t) => {
  const tool = tools.find(({ name }) => name === 'createDocuments')!;
  const data = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 });
  await fc.assert(
    fc.asyncProperty(data, async (value) => {
      const given = JSON.parse(JSON.stringify(value));
      const { refused, sent } = await call(tool, { ...argsOf(tool.name), data: given });
      return refused || JSON.stringify(sent[0]!.body) === JSON.stringify({ data: given });
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

/** The members of the prototypes that everything inherits from. */
const prototypes = () =>
  [Object, Array, String, Function].map(({ prototype }) => Object.getOwnPropertyNames(prototype));

function merged(args: object, changes: readonly (readonly [string, unknown])[]): unknown {
  const copy = { ...args };
  for (const [name, value] of changes) {
    Object.defineProperty(copy, name, { value, enumerable: true, configurable: true });
  }
  return copy;
}
