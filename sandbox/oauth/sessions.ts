import type { SandboxContext } from '../context.ts';
import type { User } from '../data/model.ts';
import { digest, randomHex } from './secrets.ts';
import type { Ctx } from '../http/types.ts';

const cookie = 'neonpanel_sandbox_session';
const sessionMs = 2 * 3_600_000;

/** The sandbox's own login, remembered by a cookie for two hours, like on the real site. */
export function createSessions({ state, data, issuer, now }: SandboxContext) {
  const sessions = state.table<{ userId: string }>('sessions');
  const options = { httpOnly: true, sameSite: 'lax', path: '/', overwrite: true } as const;
  const secure = issuer.startsWith('https:');

  return {
    current(ctx: Ctx): User | undefined {
      const token = ctx.cookies.get(cookie);
      const session = token ? sessions.get(digest(token)) : undefined;
      return session && data.users.find((user) => user.id === session.userId);
    },
    start(ctx: Ctx, user: User): void {
      const token = randomHex();
      sessions.put(digest(token), { userId: user.id }, now() + sessionMs);
      if (secure) ctx.cookies.secure = true; // TLS ends before us
      ctx.cookies.set(cookie, token, { ...options, secure, maxAge: sessionMs });
    },
    end(ctx: Ctx): void {
      const token = ctx.cookies.get(cookie);
      if (token) sessions.delete(digest(token));
      if (secure) ctx.cookies.secure = true;
      ctx.cookies.set(cookie, null, { ...options, secure });
    },
    endAll(userId: string): void {
      for (const [id, session] of sessions.entries()) {
        if (session.userId === userId) sessions.delete(id);
      }
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;
