/**
 * The token endpoint: who asks (client-auth.ts), then one function per grant type, each of which ends
 * with a grant to make tokens of.
 */
import { createHash } from 'node:crypto';
import type { SandboxContext } from '../context.ts';
import { oauthRefusal } from '../errors.ts';
import type { Ctx } from '../http/types.ts';
import { codeMemoryMs, type Code } from './authorize.ts';
import { authenticateClient } from './client-auth.ts';
import type { Client } from './clients.ts';
import { readForm, type Form } from './form.ts';
import type { Grant } from './grants.ts';
import { digest } from './secrets.ts';

type Granted = { grantId: string; grant: Grant; refreshToken?: string };

const formBytesMax = 65_536;

export function createTokenEndpoint(context: SandboxContext) {
  const { state, grants, faults, data, now } = context;
  const codes = state.table<Code>('codes');

  return async function issueTokens(ctx: Ctx): Promise<void> {
    const { facts } = ctx.state;
    const form = readTokenRequest(ctx);
    const header = ctx.get('Authorization') || undefined;
    const basic = header && !faults.take('ignore-basic', facts) ? header : undefined;
    const client = await authenticateClient(context, form, basic);
    const granted = grantTokens(ctx, form, client);

    if (form.grant_type === 'refresh_token' && faults.take('lose-refresh-answer', facts)) {
      ctx.respond = false;
      ctx.req.socket.destroy();
      return;
    }
    const { seconds = 3_600 } = faults.take('token-lifetime', facts) ?? {};
    const { grantId, grant, refreshToken } = granted;
    ctx.set({ 'Cache-Control': 'no-store', Pragma: 'no-cache' });
    ctx.body = {
      access_token: await grants.issueAccessToken(grantId, grant, seconds),
      token_type: 'Bearer',
      ...(!faults.take('no-expires-in', facts) && { expires_in: seconds }),
      ...(refreshToken && { refresh_token: refreshToken }),
      scope: grant.scope,
    };
  };

  function grantTokens(ctx: Ctx, form: Form, client: Client): Granted {
    const { grant_type } = form;
    if (!grant_type) throw oauthRefusal('invalid_request', 'grant_type is missing.');
    const byType: Record<string, () => Granted> = {
      authorization_code: () => exchangeCode(form, client),
      refresh_token: () => refresh(ctx, form, client),
      client_credentials: () => grantToClient(form, client),
    };
    if (!Object.hasOwn(byType, grant_type)) {
      throw oauthRefusal('unsupported_grant_type', 'The grant type is not supported.');
    }
    if (!client.metadata.grant_types.includes(grant_type)) {
      throw oauthRefusal('unauthorized_client', 'The client may not use this grant type.');
    }
    return byType[grant_type]!();
  }

  /** A code serves one attempt of its own client, good or bad. */
  function exchangeCode(form: Form, client: Client): Granted {
    if (!form.code) throw oauthRefusal('invalid_request', 'code is missing.');
    const id = digest(form.code);
    const code = codes.get(id);
    if (!code || code.clientId !== client.id) throw invalidGrant('The code is not valid.');
    if (code.usedFor !== undefined) {
      grants.revoke(code.usedFor);
      throw invalidGrant('The code was used before.');
    }
    const grant = { clientId: client.id, subject: code.subject, scope: code.scope };
    const problem = findCodeProblem(code, form, now());
    if (problem) {
      codes.put(id, { ...code, usedFor: '' }, code.expiresAt + codeMemoryMs);
      throw invalidGrant(problem);
    }
    return state.atomically(() => {
      const grantId = grants.create(grant);
      codes.put(id, { ...code, usedFor: grantId }, code.expiresAt + codeMemoryMs);
      const refreshes = client.metadata.grant_types.includes('refresh_token');
      const refreshToken = refreshes && grants.issueRefreshToken(grantId);
      return { grantId, grant, ...(refreshToken && { refreshToken }) };
    });
  }

  function refresh(ctx: Ctx, form: Form, client: Client): Granted {
    if (!form.refresh_token) throw oauthRefusal('invalid_request', 'refresh_token is missing.');
    const found = grants.findRefreshToken(form.refresh_token);
    if (!found || found.clientId !== client.id || faults.take('refuse-refresh', ctx.state.facts)) {
      throw invalidGrant('The refresh token is not valid.');
    }
    const { grantId, used, ...grant } = found;
    if (used) {
      grants.revoke(grantId);
      throw invalidGrant('The refresh token was used before.');
    }
    if (form.scope && form.scope !== grant.scope) {
      throw oauthRefusal('invalid_scope', 'The scope was not granted.');
    }
    const refreshToken = faults.take('no-rotation', ctx.state.facts)
      ? form.refresh_token
      : grants.rotateRefreshToken(form.refresh_token, grantId);
    return { grantId, grant, refreshToken };
  }

  /** A service client acts for the user it names among its `contacts`; with none it sees no company. */
  function grantToClient(form: Form, client: Client): Granted {
    const { contacts = [], token_endpoint_auth_method } = client.metadata;
    if (token_endpoint_auth_method === 'none') {
      throw oauthRefusal('unauthorized_client', 'Public clients have no credentials.');
    }
    if (form.scope && form.scope !== 'openid') {
      throw oauthRefusal('invalid_scope', 'The only scope is openid.');
    }
    const user = data.users.find(({ email }) => contacts.includes(email));
    const grant = { clientId: client.id, subject: user?.id ?? client.id, scope: 'openid' };
    return { grantId: grants.create(grant), grant };
  }
}

/** The form of a request to the token or revocation endpoint. */
export function readTokenRequest(ctx: Ctx): Form {
  if (!ctx.is('application/x-www-form-urlencoded')) {
    throw oauthRefusal('invalid_request', 'Send application/x-www-form-urlencoded.');
  }
  if (ctx.state.body.length > formBytesMax) {
    throw oauthRefusal('invalid_request', 'The request is too large.', 413);
  }
  return readForm(ctx.state.body.toString('utf8'));
}

function findCodeProblem(code: Code, form: Form, now: number): string | undefined {
  if (code.expiresAt <= now) return 'The code has expired.';
  const uri = form.redirect_uri;
  if (code.redirectUriSent ? uri !== code.redirectUri : uri && uri !== code.redirectUri) {
    return 'redirect_uri differs from the authorization request.';
  }
  const { code_verifier } = form;
  if (code.challenge === undefined) {
    return code_verifier ? 'code_verifier was not announced.' : undefined;
  }
  if (!code_verifier) return 'code_verifier is missing.';
  const wellFormed = /^[A-Za-z0-9._~-]{43,128}$/.test(code_verifier);
  const challenge = createHash('sha256').update(code_verifier).digest('base64url');
  return wellFormed && challenge === code.challenge ? undefined : 'code_verifier does not match.';
}

function invalidGrant(description: string) {
  return oauthRefusal('invalid_grant', description);
}
