import test from 'ava';
import fc from 'fast-check';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import { definitionsOf } from '../../mcp/tools/definitions.ts';
import { tools } from '../../mcp/tools/index.ts';
import { READ, WRITE } from '../../resource.ts';
import { calls } from './support/fixtures.ts';

const definitions = definitionsOf(tools);
const ajv = new AjvJsonSchemaValidator();
type Node = Record<string, any>;

/** Every schema inside a schema, itself included. */
function nodes(schema: Node): Node[] {
  const children = [...Object.values(schema['properties'] ?? {}), schema['items'] ?? []].flat();
  return [schema, ...(children as Node[]).flatMap(nodes)];
}

test('the definitions are what they were when somebody last looked at them', (t) => {
  t.snapshot(definitions);
});

test('[N42] the 16 tools fit into 36 kB of JSON, and every description into 700 characters', (t) => {
  t.is(definitions.length, 16);
  t.true(Buffer.byteLength(JSON.stringify(definitions)) <= 36_000);
  for (const { name, description, title } of definitions) {
    t.true(description.length >= 100 && description.length <= 700, name);
    t.regex(title, /^[A-Z][A-Za-z ]{5,59}$/);
  }
});

test('[N44] [N31] tool names are unique, without dots, and leave room for a prefix', (t) => {
  for (const { name } of definitions) t.regex(name, /^[a-zA-Z0-9_-]{1,49}$/);
  t.is(new Set(definitions.map(({ name }) => name)).size, definitions.length);
});

for (const { name, inputSchema, outputSchema } of definitions) {
  test(`[N15] [N34] the schemas of ${name} are plain: inline, typed, without keywords that clients refuse`, (t) => {
    for (const root of [inputSchema, outputSchema]) {
      t.is(root.type, 'object');
      const text = JSON.stringify(root);
      t.notRegex(
        text,
        /\$schema|\$ref|\$defs|"definitions"|9007199254740991|"propertyNames"|"not"/,
      );
      t.notRegex(text, /"(?:any|one|all)Of"/);
      for (const node of nodes(root)) {
        if (Object.keys(node).length === 0) continue; // `items: {}`: anything
        t.truthy(node['type'], JSON.stringify(node));
        if ([node['type']].flat().includes('array')) t.truthy(node['items'], JSON.stringify(node));
      }
    }
  });

  test(`[N37] the arguments of ${name} are flat and closed`, (t) => {
    t.is(inputSchema['additionalProperties'], false);
    const nested = Object.entries(inputSchema['properties'] ?? {}).flatMap(([key, value]) =>
      (value as Node)['type'] === 'object' ? [key] : [],
    );
    const expected = { createDocuments: ['data'], createDocumentsByPdf: ['file'] };
    t.deepEqual(nested, expected[name as keyof typeof expected] ?? []);
  });

  // These two answer in a form of ours.
  if (name === 'search' || name === 'fetch') continue;
  test(`[N36] ${name} promises no field and allows null in every one`, (t) => {
    for (const node of nodes(outputSchema).slice(1)) {
      t.is(node['required'], undefined);
      t.not(node['additionalProperties'], false);
      const isListElement = node['type'] === 'object' || Object.keys(node).length === 0;
      if (!isListElement) t.true([node['type']].flat().includes('null'), JSON.stringify(node));
    }
  });
}

test('required and optional arguments are those of the API', (t) => {
  const required = Object.fromEntries(
    definitions.map(({ name, inputSchema }) => [name, inputSchema['required'] ?? []]),
  );
  for (const { tool, args } of calls) t.deepEqual(required[tool], Object.keys(args), tool);
});

for (const tool of tools) {
  test(`[N28] [T54] ${tool.name} says honestly whether it reads or writes`, (t) => {
    const writes = tool.scope === WRITE;
    t.deepEqual(tool.annotations, {
      readOnlyHint: !writes,
      destructiveHint: false,
      idempotentHint: !writes,
      openWorldHint: tool.name === 'createDocumentsByPdf',
    });
    t.is(writes, tool.name.startsWith('create'));
  });
}

test('every tool names its scopes where ChatGPT looks for them', (t) => {
  for (const [index, { _meta }] of definitions.entries()) {
    const scopes = tools[index]!.scope === WRITE ? [READ, WRITE] : [READ];
    t.deepEqual(_meta.securitySchemes, [{ type: 'oauth2', scopes }]);
  }
});

test('[F25] ChatGPT is told what to show while a tool works and afterwards, in 64 characters each', (t) => {
  const said = definitions.flatMap(({ _meta }) => [
    _meta['openai/toolInvocation/invoking'],
    _meta['openai/toolInvocation/invoked'],
  ]);
  for (const text of said) t.regex(text, /^[A-Z][^<>"]{3,63}$/u, text);
  t.is(new Set(said).size, 2 * definitions.length, 'each tool says something of its own');
});

test('[T54] no description names a tool that does not exist, an address or a credential', (t) => {
  const names = new Set(tools.map(({ name }) => name));
  for (const { description } of definitions) {
    for (const mentioned of description.match(/\b(?:list|get|create|check)[A-Z]\w+/g) ?? []) {
      t.true(names.has(mentioned), mentioned);
    }
    t.notRegex(description, /https?:\/\/|token|secret|password/i);
  }
});

for (const [index, tool] of tools.entries()) {
  test(`what ${tool.name} lists as its answer is what is checked before it is sent`, (t) => {
    const validate = ajv.getValidator(definitions[index]!.outputSchema);
    const leaf = fc.oneof(fc.constant(null), fc.integer(), fc.string(), fc.boolean());
    const value = fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string(), leaf));
    const { answer } = calls[index]!;
    const fields = [...Object.keys(tool.output.shape), 'brand_new'];
    const changed = fc.record({ field: fc.constantFrom(...fields), value }).map((change) => ({
      ...answer,
      [change.field]: change.value,
    }));
    t.true(validate(answer).valid);
    fc.assert(
      fc.property(changed, (candidate) => {
        return validate(candidate).valid === tool.output.safeParse(candidate).success;
      }),
    );
  });

  test(`what ${tool.name} lists as its arguments is accepted when it is called`, (t) => {
    const validate = ajv.getValidator(definitions[index]!.inputSchema);
    const { args } = calls[index]!;
    t.true(validate(args).valid);
    t.true(tool.input.safeParse(args).success);
    t.false(validate({ ...args, unknown: 1 }).valid);
  });
}

test('[N36] decimals as strings and empty objects as lists are ordinary answers', (t) => {
  const output = (name: string) => tools.find((tool) => tool.name === name)!.output;
  t.true(output('getInventoryCogs').safeParse({ amount: '12.50', lost_amount: null }).success);
  t.true(output('getInventoryDetails').safeParse({ restock_data: [] }).success);
  t.true(output('getImportInstructions').safeParse({ attributes: [] }).success);
  t.false(output('getInventoryCogs').safeParse({ details: 'none' }).success);
});
