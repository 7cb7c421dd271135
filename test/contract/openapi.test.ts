import test from 'ava';
import { Validator } from '@seriousme/openapi-schema-validator';
import { neonpanelOpenApi } from '../../adapters/neonpanel/openapi/document.ts';
import { startHarness } from '../support/harness.ts';
import { deref, description, type Node, objection, operations, OPTIONS } from './description.ts';

/** The document itself: that it is OpenAPI, that it is served, and that it says what it should. */

const harness = await startHarness();
test.after.always(() => harness.close());

test.serial('[N30] our description of NeonPanel is a valid OpenAPI 3.1 document', async (t) => {
  t.is(description['openapi'], '3.1.0');
  t.deepEqual(await new Validator().validate(structuredClone(description)), { valid: true });
  const broken = structuredClone(description);
  broken['paths']['/reports'].get.responses['200'].content['application/json'].schema.$ref += 'X';
  t.false((await new Validator().validate(broken)).valid);
});

test.serial(
  '[N30] /openapi.json serves it with the addresses of this deployment, and sends MCP clients elsewhere',
  async (t) => {
    const answer = await fetch(`${harness.url}/openapi.json`);
    t.is(answer.status, 200);
    t.is(answer.headers.get('content-type'), 'application/json; charset=utf-8');
    t.is(answer.headers.get('cache-control'), 'public, max-age=300');
    t.is(answer.headers.get('access-control-allow-origin'), '*');
    const served = (await answer.json()) as Node;
    const { url } = harness.sandbox;
    t.deepEqual(served['servers'], [{ url: `${url}/api/v1` }]);
    t.true(served['info'].description.includes(`MCP clients want ${harness.url}/mcp`));
    const { version } = served['info'];
    const mcpUrl = `${harness.url}/mcp`;
    const expected = neonpanelOpenApi({ url, apiUrl: `${url}/api/v1`, mcpUrl, version });
    t.deepEqual(served, JSON.parse(JSON.stringify(expected)));

    const head = await fetch(`${harness.url}/openapi.json`, { method: 'HEAD' });
    t.is(head.headers.get('content-length'), answer.headers.get('content-length'));
    const post = await fetch(`${harness.url}/openapi.json`, { method: 'POST' });
    t.is(post.status, 405);
    t.is(post.headers.get('allow'), 'GET, HEAD, OPTIONS');
  },
);

test.serial('[N30] [N46] every address in it is made of configuration', (t) => {
  const { url, apiUrl, mcpUrl } = OPTIONS;
  t.deepEqual(description['servers'], [{ url: apiUrl }]);
  const { flows, type } = description['components'].securitySchemes.neonpanel;
  t.is(type, 'oauth2');
  t.deepEqual(flows, {
    authorizationCode: {
      authorizationUrl: `${url}/oauth2/authorize`,
      tokenUrl: `${url}/oauth2/token`,
      refreshUrl: `${url}/oauth2/token`,
      scopes: flows.authorizationCode.scopes,
    },
  });
  t.deepEqual(Object.keys(flows.authorizationCode.scopes), ['openid']);
  t.deepEqual(description['security'], [{ neonpanel: ['openid'] }]);
  t.true(description['info'].description.includes(mcpUrl));
});

test.serial(
  '[N30] each operation declares the parameters of its path, its refusals, and nothing twice',
  (t) => {
    t.is(operations.length, 15);
    t.is(new Set(operations.map(({ id }) => id)).size, 15);
    const tags = description['tags'].map(({ name }: Node) => name);
    for (const { id, path, parameters, responses } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = parameters.filter((each) => each['in'] === 'path');
      t.deepEqual(
        declared.map(({ name }) => name),
        inPath,
        id,
      );
      t.true(declared.every(({ required }) => required === true));
      t.is(
        new Set(parameters.map((each) => each['in'] + each['name'])).size,
        parameters.length,
        id,
      );
      const isEmpty = (status: string) =>
        status === 'default' || (id === 'getReport' && /^40[34]$/.test(status));
      for (const [status, response] of Object.entries(responses))
        t.is(response['content'] === undefined, isEmpty(status), `${id} ${status}`);
      for (const status of ['401', '429', 'default'])
        t.truthy(responses[status], `${id} ${status}`);
      t.is('403' in responses, path.includes('{companyUuid}') || /Rev|Report$/.test(id), id);
    }
    const used = Object.values<Node>(description['paths']).flatMap((item) =>
      Object.values(item).flatMap(({ tags }) => tags),
    );
    t.deepEqual([...new Set(used)].toSorted(), tags.toSorted());
  },
);

test.serial('[N30] nothing stands in its components that is not used', (t) => {
  const text = JSON.stringify(description);
  for (const kind of ['schemas', 'parameters', 'responses', 'headers']) {
    for (const name of Object.keys(description['components'][kind]))
      t.true(text.includes(`"#/components/${kind}/${name}"`), `${kind} ${name}`);
  }
});

/** Every object in the document that has a certain member. */
function having(member: string, node: unknown = description): Node[] {
  if (typeof node !== 'object' || node === null) return [];
  const inside = Object.entries(node).flatMap(([key, child]) =>
    key === 'example' ? [] : having(member, child),
  );
  return member in node ? [node as Node, ...inside] : inside;
}

test.serial(
  '[N30] every example is one of what it stands beside, and every JSON body has one',
  (t) => {
    const media = having('schema').filter((node) => !('in' in node));
    const json = having('application/json').map((content) => content['application/json']);
    t.is(json.length, 25);
    for (const node of json) t.true('example' in node, JSON.stringify(node).slice(0, 200));
    for (const { schema, example } of media.filter((node) => 'example' in node))
      t.is(objection(schema, example), undefined, JSON.stringify(example).slice(0, 200));
  },
);

test.serial(
  '[N30] its schemas use words of JSON Schema that every reader knows, and promise no field',
  (t) => {
    const known =
      /^(?:\$ref|type|properties|required|items|enum|format|description|anyOf|additionalProperties|minimum|maximum|minLength|maxLength|default|contentMediaType)$/;
    const types = ['string', 'integer', 'number', 'object', 'array', 'boolean', 'null'];
    const visit = (schema: Node, about: string): void => {
      for (const keyword of Object.keys(schema)) t.regex(keyword, known, about);
      for (const type of [schema['type'] ?? []].flat()) t.true(types.includes(type), about);
      if (schema['type'] === 'array') t.truthy(schema['items'], about);
      if (schema['$ref']) t.notThrows(() => deref(schema), about);
      const { properties = {}, items, anyOf = [], additionalProperties: more } = schema;
      for (const [name, child] of Object.entries<Node>(properties))
        visit(child, `${about}.${name}`);
      for (const child of [items, more, ...anyOf]) if (child) visit(child, about);
    };
    for (const [name, schema] of Object.entries<Node>(description['components'].schemas)) {
      visit(schema, name);
      t.false(JSON.stringify(schema).includes('"required"'), name);
    }
    for (const { id, parameters } of operations)
      for (const { name, schema, description: words } of parameters) {
        visit(schema, `${id} ${name}`);
        t.truthy(words, name);
      }
  },
);
