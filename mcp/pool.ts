/**
 * Idle MCP servers, kept for reuse: building one with all its tools costs far more than a call. A server is lent to
 * exactly one exchange and comes back only when that exchange is over to the last byte; who is calling travels with the
 * exchange (authInfo), never with the server. So callers can't mix.
 *
 * The eras have pools of their own, because a server that served 2026-07-28 keeps that era's handlers.
 */
export interface Reusable {
  /** Undefined while idle. */
  readonly server: { readonly transport: unknown };
  close(): Promise<void>;
}

export type Era = 'legacy' | 'modern';

const MAX_IDLE = 64;

export function createPool<S extends Reusable>(build: () => S) {
  const idle: Record<Era, S[]> = { legacy: [], modern: [] };

  /** What one HTTP exchange borrows. `lend.idle` says how many there are to borrow. */
  function lend() {
    const borrowed: { era: Era; server: S }[] = [];
    return {
      take(era: Era): S {
        const server = idle[era].pop() ?? build();
        borrowed.push({ era, server });
        return server;
      },
      /** To be called once, after the answer was written and nothing of the exchange can act any more. */
      async giveBack(): Promise<void> {
        for (const { era, server } of borrowed.splice(0)) {
          if (server.server.transport !== undefined) await server.close().catch(() => {});
          const clean = server.server.transport === undefined;
          if (clean && idle[era].length < MAX_IDLE) idle[era].push(server);
        }
      },
    };
  }
  const idleNow = () => ({ legacy: idle.legacy.length, modern: idle.modern.length });
  return Object.assign(lend, { idle: idleNow });
}

export type Loan<S extends Reusable> = ReturnType<ReturnType<typeof createPool<S>>>;
