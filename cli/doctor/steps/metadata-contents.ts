import type { Document, Examination, Step } from '../step.ts';
import { isLoopback } from '../target.ts';
import { differs } from './resource-metadata.ts';

/** What the metadata of the authorization server says, and what MCP wants in it. */
export const metadataContentSteps: readonly Step[] = [
  {
    id: 'issuer',
    title: 'The issuer is exactly the address it was found by',
    needs: ['server'],
    run({ facts }, says) {
      const expected = facts.issuer;
      for (const { name, document } of documentsOf(facts)) {
        const difference = differs(String(document.issuer), expected!);
        if (!difference) continue;
        says.fail(
          `issuer in ${name} is ${String(document.issuer).slice(0, 200)}, not ${expected}: ${difference[0]}`,
          `${difference[1]} One string in every document, in iss and in the tokens (RFC 8414 §3.3).`,
        );
      }
      says.note(String(facts.server!.issuer));
    },
  },
  {
    id: 'endpoints',
    title: 'The endpoints it names are addresses of that host that clients accept',
    needs: ['server'],
    run({ facts }, says) {
      const { server, issuer } = facts;
      for (const name of ENDPOINTS) {
        const value = server![name];
        if (value === undefined) {
          if (name === 'authorization_endpoint' || name === 'token_endpoint') {
            says.fail(`${name} is missing`, 'Name it in both documents.');
          }
          continue;
        }
        const url = typeof value === 'string' ? URL.parse(value) : null;
        if (!url || (url.protocol !== 'https:' && !isLoopback(url))) {
          says.fail(
            `${name} is not an https address: ${String(value).slice(0, 200)}`,
            'Build it from PUBLIC_URL; behind a proxy that ends TLS the server sees http only.',
          );
        } else if (url.origin !== new URL(issuer!).origin) {
          const isInternal = !url.hostname.includes('.');
          (isInternal || facts.ours ? says.fail : says.warn)(
            `${name} is on another host: ${url.origin}`,
            'Build it from PUBLIC_URL, never from the Host header.',
          );
        }
      }
    },
  },
  {
    id: 'pkce-advertised',
    title: 'PKCE with S256 is advertised',
    needs: ['server'],
    run({ facts }, says) {
      for (const { name, document } of documentsOf(facts)) {
        const methods = document.code_challenge_methods_supported;
        if (!Array.isArray(methods) || !methods.includes('S256')) {
          says.fail(
            `code_challenge_methods_supported in ${name} ${methods ? 'does not contain S256' : 'is missing'}; clients must refuse such a server`,
            'Advertise ["S256"] in both documents.',
          );
        } else if (methods.includes('plain')) {
          says.warn('PKCE with plain is advertised', 'Advertise and accept S256 only.');
        }
      }
    },
  },
  {
    id: 'registration-advertised',
    title: 'Clients can make themselves known',
    needs: ['server'],
    run({ facts }, says) {
      const { registration_endpoint: endpoint, client_id_metadata_document_supported: documents } =
        facts.server!;
      says.note(
        [endpoint && 'dynamic registration', documents && 'client metadata documents']
          .filter(Boolean)
          .join(' and '),
      );
      if (endpoint) return;
      if (documents) {
        return says.warn(
          'registration_endpoint is missing: clients without a metadata document can not connect',
          'Offer dynamic registration (RFC 7591) too, while clients need it.',
        );
      }
      says.fail(
        'registration_endpoint is missing: clients say that the server does not support dynamic registration',
        'Name the endpoint in both documents (RFC 7591), or support client metadata documents.',
      );
    },
  },
  {
    id: 'iss-advertised',
    title: 'It is announced that answers carry iss',
    needs: ['server'],
    run({ facts }, says) {
      if (facts.server!.authorization_response_iss_parameter_supported === true) return;
      (facts.ours ? says.fail : says.warn)(
        'authorization_response_iss_parameter_supported is not true; ChatGPT then uses another redirect URI for each connector',
        'Send iss in every authorization response, and advertise it (RFC 9207).',
      );
    },
  },
  {
    id: 'abilities-advertised',
    title: 'Code, refresh, public clients and offline_access are advertised',
    needs: ['server'],
    run({ facts: { server, ours } }, says) {
      // What is no rule for every server, some clients can do without.
      const say = ours ? says.fail : says.warn;
      const wanted = [
        ['response_types_supported', 'code', says.fail],
        ['grant_types_supported', 'authorization_code', says.fail],
        ['grant_types_supported', 'refresh_token', say],
        ['token_endpoint_auth_methods_supported', 'none', say],
        ['scopes_supported', 'offline_access', say],
      ] as const;
      for (const [name, value, complain] of wanted) {
        const list = server![name];
        if (Array.isArray(list) && list.includes(value)) continue;
        complain(
          `${name} ${list ? `does not contain ${value}` : 'is missing'}`,
          `Support ${value} and list it: clients choose by these lists.`,
        );
      }
    },
  },
];

const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
  'jwks_uri',
];

const documentsOf = ({ oauthMetadata, openidMetadata }: Examination['facts']) =>
  [
    { name: 'oauth-authorization-server', document: oauthMetadata },
    { name: 'openid-configuration', document: openidMetadata },
  ].filter((one): one is { name: string; document: Document } => one.document !== undefined);
