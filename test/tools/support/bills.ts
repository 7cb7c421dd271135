import type { ExecutionContext } from 'ava';
import { COMPANIES } from '../../outsider/records.ts';
import type { Fault } from '../../outsider/stand-in.ts';
import { startWorld, type World } from '../../outsider/world.ts';
import { type Answer, callTool, type Connection } from '../../support/oauth.ts';

/** Bills that are created under idempotency keys, at the outsider's NeonPanel, which counts. */

export const CREATE = /^POST .*\/create\/bill$/;
export const [COMPANY, OTHER_COMPANY] = COMPANIES;

/** Of errors: it may have happened; it has not. */
export const UNKNOWN = /may or may not have been carried out.*[Dd]o not repeat/s;
export const NOT_SENT = /did nothing.*same idempotencyKey/s;

let bills = 0;

/** A bill nobody else sends, and how often NeonPanel was asked for it. */
export function newBill() {
  const number = `B-${process.pid}-${++bills}`;
  const idempotencyKey = `key-of-${number}`;
  const args = {
    companyUuid: COMPANY.uuid as unknown,
    type: 'bill',
    data: { ref_number: number, amounts: { net: 1, tax: [2, { rate: 3 }] } } as unknown,
    idempotencyKey,
  };
  const asked = ({ standIn }: Pick<World, 'standIn'>) =>
    standIn.seen(CREATE).filter(({ body }) => body.includes(`"${number}"`)).length;
  return { number, idempotencyKey, args, asked };
}

export const create = (base: string, { tokens }: Pick<Connection, 'tokens'>, args: object) =>
  callTool(base, tokens.access_token, 'createDocuments', args);

/** What the client is given, of a call that went well. */
export function resultOf(
  t: ExecutionContext,
  { status, body }: Answer<any>,
): Record<string, unknown> {
  t.is(status, 200, JSON.stringify(body));
  t.falsy(body.result?.isError, JSON.stringify(body));
  t.deepEqual(JSON.parse(body.result.content[0].text), body.result.structuredContent);
  return body.result.structuredContent;
}

export function errorOf(t: ExecutionContext, { status, body }: Answer<any>): string {
  t.is(status, 200, JSON.stringify(body));
  t.true(body.result?.isError, JSON.stringify(body));
  return body.result.content[0].text;
}

/** What NeonPanel does with the next request that carries a text, by that text; each world has its own. */
const faults = new WeakMap<World['standIn'], Map<string, Fault>>();

export async function start(...options: Parameters<typeof startWorld>): Promise<World> {
  const world = await startWorld(...options);
  const mine = new Map<string, Fault>();
  faults.set(world.standIn, mine);
  world.standIn.fault(CREATE, (request, answer) => {
    const [number, fault] = [...mine].find(([text]) => request.body.includes(`"${text}"`)) ?? [];
    if (!fault) return answer();
    mine.delete(number!);
    return fault(request, answer);
  });
  return world;
}

/** The next request for this bill meets it. */
export const faultFor = ({ standIn }: Pick<World, 'standIn'>, number: string, fault: Fault) =>
  faults.get(standIn)!.set(number, fault);

/** The next request for this bill waits. */
export function holdBill(world: Pick<World, 'standIn'>, number: string) {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  let isAbandoned = false;
  faultFor(world, number, async (request, answer) => {
    void request.abandoned.then(() => (isAbandoned = true));
    reached.resolve();
    await go.promise;
    return answer();
  });
  return { reached: reached.promise, go: go.resolve, isAbandoned: () => isAbandoned };
}
