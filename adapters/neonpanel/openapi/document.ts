import { answers } from './answers.ts';
import { bodies } from './bodies.ts';
import { type Operation, operations, TAGS } from './operations.ts';
import { parameters } from './parameters.ts';
import { headers, responses, responsesOf } from './responses.ts';
import { records } from './schemas.ts';

/** The only scope that NeonPanel's API knows. */
const SCOPE = 'openid';

/**
 * NeonPanel's REST API, as far as our tools use it, as a document of OpenAPI 3.1: our own description, from what is known
 * about it. What we send, what the sandbox answers and what the tools promise is held against it by a test.
 *
 * @param options.url NEONPANEL_URL: where people sign in there
 * @param options.apiUrl NEONPANEL_API_URL
 * @param options.mcpUrl where MCP clients go instead
 */
export function neonpanelOpenApi(options: {
  url: string;
  apiUrl: string;
  mcpUrl: string;
  version: string;
}): Record<string, unknown> {
  const { url, apiUrl, mcpUrl, version } = options;
  return {
    openapi: '3.1.0',
    info: {
      title: 'NeonPanel REST API, as neonpanel-mcp uses it',
      summary: 'Companies, inventory, costs, revenue and document import of a NeonPanel user.',
      description: descriptionFor(mcpUrl),
      version,
    },
    externalDocs: {
      description: 'NeonPanel’s own reference',
      url: 'https://my.neonpanel.com/api/v1/reference',
    },
    servers: [{ url: apiUrl }],
    security: [{ neonpanel: [SCOPE] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(operations),
    components: {
      schemas: { ...answers, ...records },
      parameters,
      responses,
      headers,
      securitySchemes: {
        neonpanel: {
          type: 'oauth2',
          description:
            'NeonPanel’s own login, with PKCE (S256). Access tokens that this server issues to MCP clients are not valid there.',
          flows: {
            authorizationCode: {
              authorizationUrl: `${url}/oauth2/authorize`,
              tokenUrl: `${url}/oauth2/token`,
              refreshUrl: `${url}/oauth2/token`,
              scopes: { [SCOPE]: 'Whatever the user may do' },
            },
          },
        },
      },
    },
  };
}

const descriptionFor = (mcpUrl: string): string =>
  [
    `MCP clients want ${mcpUrl}: sign in and call tools there. This document is for people and programs that want to know what those tools ask NeonPanel for; its addresses are NeonPanel’s and take NeonPanel’s tokens.`,
    'It is a description of our own, covers only what the tools use, and promises nothing for NeonPanel, whose API is a beta. Fields that it does not name may appear, fields that it names may be missing, and null is not zero.',
    'Lists come in pages of 10 to 60. The answer says which page it is and which is the last; there is no total.',
  ].join('\n\n');

function pathsOf(all: readonly Operation[]): Record<string, object> {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of all) {
    (paths[operation.path] ??= {})[operation.method] = operationObject(operation);
  }
  return paths;
}

function operationObject(operation: Operation): object {
  const { id, tag, summary, description, parameters: names = [] } = operation;
  const body = bodies[id];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(names.length > 0 && {
      parameters: names.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    }),
    ...(body && { requestBody: body }),
    responses: responsesOf(operation),
  };
}
