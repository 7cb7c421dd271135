import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import { neonpanelOpenApi } from '../../adapters/neonpanel/openapi/document.ts';

/** Our OpenAPI document as a reader who knows only OpenAPI sees it, and what it says about requests and answers. */

export type Node = Record<string, any>;

export interface Described {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** Below the server's address, with {parameters}. */
  readonly path: string;
  readonly parameters: readonly Node[];
  readonly body: Node | undefined;
  readonly responses: Record<string, Node>;
}

export const OPTIONS = {
  url: 'https://panel.example',
  apiUrl: 'https://api.example/v1',
  mcpUrl: 'https://mcp.example/mcp',
  version: '1.2.3',
};

export const description: Node = JSON.parse(JSON.stringify(neonpanelOpenApi(OPTIONS)));

/** What a reference stands for, or the thing itself. */
export function deref(node: Node): Node {
  const ref: string | undefined = node['$ref'];
  if (ref === undefined) return node;
  const found = ref
    .slice(2)
    .split('/')
    .reduce<Node | undefined>((at, part) => at?.[part], description);
  if (!found) throw new Error(`nothing at ${ref}`);
  return deref(found);
}

export const operations: readonly Described[] = Object.entries<Node>(description['paths']).flatMap(
  ([path, item]) =>
    Object.entries<Node>(item).map(([method, operation]) => ({
      id: operation['operationId'],
      method: method.toUpperCase() as Described['method'],
      path,
      parameters: (operation['parameters'] ?? []).map(deref),
      body: operation['requestBody'],
      responses: Object.fromEntries(
        Object.entries<Node>(operation['responses']).map(([status, node]) => [status, deref(node)]),
      ),
    })),
);

export const operationOf = (id: string): Described => operations.find((each) => each.id === id)!;

/** Schemas are open, because NeonPanel may add fields. Between ourselves a field that nobody described is a mistake. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, child]) => [key, closed(child)]));
  return node && 'properties' in node && 'type' in node
    ? { additionalProperties: false, ...copy }
    : copy;
}

const ajv = new AjvJsonSchemaValidator();
const schemas: Node = { components: { schemas: closed(description['components'].schemas) } };
const validators = new Map<string, ReturnType<typeof ajv.getValidator>>();

/** What a schema of the document says against a value, in words; undefined if nothing. */
export function objection(schema: Node, value: unknown): string | undefined {
  const key = JSON.stringify(schema);
  if (!validators.has(key)) {
    validators.set(key, ajv.getValidator({ ...(closed(schema) as Node), ...schemas }));
  }
  const { valid, errorMessage } = validators.get(key)!(value);
  return valid ? undefined : (errorMessage ?? 'invalid');
}

export interface Request {
  readonly method: string;
  /** Path and query below the server's address. */
  readonly target: string;
  readonly contentType?: string | undefined;
  readonly body?: unknown;
}

/** The operation that a request is for, with its path parameters. */
export function match(method: string, pathname: string) {
  for (const operation of operations) {
    const names: string[] = [];
    const pattern = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      names.push(name);
      return '([^/]+)';
    });
    const found = new RegExp(`^${pattern}$`).exec(pathname);
    if (!found || operation.method !== method) continue;
    const values = found.slice(1).map(decodeURIComponent);
    return { operation, path: Object.fromEntries(names.map((name, i) => [name, values[i]!])) };
  }
  return undefined;
}

/** Everything about a request that the document does not allow. */
export function requestProblems({ method, target, contentType, body }: Request): string[] {
  const { pathname, searchParams } = new URL(target, 'http://api.test');
  const found = match(method, pathname);
  if (!found) return ['no such operation'];
  const { operation, path } = found;
  const query = Map.groupBy(searchParams, ([name]) => name.replace(/\[\]$/, ''));
  const values = (name: string) => query.get(name)?.map(([, value]) => value);
  const declared = operation.parameters.filter((each) => each['in'] === 'query');
  const unknown = [...query.keys()].filter(
    (name) => !declared.some((each) => each['name'] === name),
  );
  const wrong = operation.parameters.flatMap((each) => {
    const given = each['in'] === 'path' ? [path[each['name']]!] : values(each['name']);
    if (given === undefined) return each['required'] ? [`${each['name']}: missing`] : [];
    const objected = objection(each['schema'], coerced(each['schema'], given));
    return objected === undefined ? [] : [`${each['name']}: ${objected}`];
  });
  return [
    ...unknown.map((name) => `${name}: unknown`),
    ...wrong,
    ...bodyProblems(operation, contentType, body),
  ];
}

/** Text of an address as the type that is wanted; what can't be that type stays text, and is objected to. */
function coerced(schema: Node, given: readonly string[]): unknown {
  if (schema['type'] === 'array') return given.map((each) => coerced(schema['items'], [each]));
  if (given.length > 1) return given;
  return schema['type'] === 'integer' && /^-?\d+$/.test(given[0]!) ? Number(given[0]) : given[0];
}

function bodyProblems({ body }: Described, contentType = '', given: unknown): string[] {
  if (!body) return given === undefined ? [] : ['body: not wanted'];
  const media = body['content'][contentType.split(';')[0]!];
  if (!media) return [`body: ${contentType || 'no type'}`];
  const objected = objection(media.schema ?? {}, given);
  return objected === undefined ? [] : [`body: ${objected}`];
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Everything about an answer that the document does not say. */
export function answerProblems(
  operation: Described,
  { status, headers, text }: Answered,
): string[] {
  const response = operation.responses[status];
  if (!response) return [`${status}: not described`];
  const missing = Object.entries<Node>(response['headers'] ?? {}).flatMap(([name, node]) => {
    const { schema } = deref(node);
    const value = headers.get(name);
    if (value === null) return [`${name}: missing`];
    const objected = objection(schema, coerced(schema, [value]));
    return objected === undefined ? [] : [`${name}: ${objected}`];
  });
  if (!response['content'])
    return text === '' ? missing : [...missing, 'a body, where there is none'];
  const media = response['content'][(headers.get('content-type') ?? '').split(';')[0]!];
  if (!media) return [...missing, `type ${headers.get('content-type')}`];
  const isJson = /json/.test(headers.get('content-type')!);
  const objected = objection(media.schema, isJson ? JSON.parse(text) : text);
  return objected === undefined ? missing : [...missing, objected];
}
