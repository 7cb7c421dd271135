import assert from 'node:assert/strict';
import fc from 'fast-check';

/**
 * What codes and refresh tokens are worth, as a model: a handful of numbers per family instead of records, MACs and
 * commits. Random histories must look the same on the model and on the real thing, which is reached through a driver.
 */

export interface CodeRequest {
  readonly code: string;
  readonly client: number;
  readonly verifier: 'right' | 'wrong' | 'missing';
  readonly redirectUri: 'right' | 'wrong';
  readonly resource: 'ours' | 'foreign';
  readonly secret: 'right' | 'wrong';
}

export interface RefreshRequest {
  readonly token: string;
  readonly client: number;
  readonly scope: 'as granted' | 'less' | 'more';
  readonly resource: 'ours' | 'foreign';
  readonly secret: 'right' | 'wrong';
}

/** The tokens, or the error code of the refusal. */
export type Outcome = { readonly refreshToken: string; readonly scope: string } | string;

/** The real thing. Clients are numbered. */
export interface Driver {
  /** A user of client `client` consents. `write`: also to writing. */
  consent(client: number, write: boolean): Promise<{ grantId: string; code: string }>;
  redeem(request: CodeRequest): Promise<Outcome>;
  refresh(request: RefreshRequest): Promise<Outcome>;
  revoke(client: number, token: string): Promise<void>;
  /** A token that was never handed out, with a genuine MAC: the store may have lost its newest write. */
  mint(grantId: string, generation: number): string;
  now(): number;
  advance(ms: number): void;
  /** What is stored now, by `tag kind`, if the driver can look. */
  stored?(): ReadonlyMap<string, { value: string; version: string }>;
}

export interface Lifetimes {
  readonly codeMs: number;
  readonly familyMs: number;
  readonly graceMs: number;
}

const READ = 'neonpanel.read';
const BOTH = 'neonpanel.read neonpanel.write';
/** A code that comes again so soon is a client racing with itself. */
const RACE_MS = 2_000;
const CLIENTS = 2;
const MAX_FAMILIES = 4;

interface Family {
  readonly grantId: string;
  readonly code: string;
  readonly client: number;
  readonly scope: string;
  readonly codeEndsAt: number;
  openedAt: number | undefined;
  ended: boolean;
  newest: number;
  rotatedAt: number;
  /** Every token that was ever handed out, by generation: one text each, or the family has forked. */
  readonly tokens: Map<number, string>;
}

export interface Model {
  readonly lifetimes: Lifetimes;
  readonly families: Family[];
}

export const emptyModel = (lifetimes: Lifetimes): Model => ({ lifetimes, families: [] });

const isAlive = (family: Family, { lifetimes }: Model, now: number): boolean =>
  family.openedAt !== undefined && !family.ended && family.rotatedAt + lifetimes.familyMs > now;

type Step = fc.AsyncCommand<Model, Driver>;

/** A step that concerns one family; the others must not notice. */
abstract class OfOneFamily {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
  check(model: Readonly<Model>): boolean {
    return model.families.length > 0;
  }
  async run(model: Model, real: Driver): Promise<void> {
    const family = model.families[this.index % model.families.length]!;
    const before = real.stored?.();
    await this.act(family, model, real);
    if (before) othersUntouched(before, real.stored!(), family.grantId);
    agree(model, real);
  }
  protected abstract act(family: Family, model: Model, real: Driver): Promise<void>;
}

class Consent implements Step {
  readonly client: number;
  readonly write: boolean;
  /** Redeems the code at once, as clients do. */
  readonly connects: boolean;
  constructor(client: number, how: { write: boolean; connects: boolean }) {
    this.client = client;
    this.write = how.write;
    this.connects = how.connects;
  }
  check = (model: Readonly<Model>) => model.families.length < MAX_FAMILIES;
  async run(model: Model, real: Driver): Promise<void> {
    const { grantId, code } = await real.consent(this.client, this.write);
    model.families.push({
      grantId,
      code,
      client: this.client,
      scope: this.write ? BOTH : READ,
      codeEndsAt: real.now() + model.lifetimes.codeMs,
      openedAt: undefined,
      ended: false,
      newest: 0,
      rotatedAt: 0,
      tokens: new Map(),
    });
    agree(model, real);
    if (this.connects) await new Redeem(model.families.length - 1, RIGHT, 1).run(model, real);
  }
  toString = () => `${this.connects ? 'connect' : 'consent'}(${this.client}, ${this.write})`;
}

const RIGHT = {
  byOther: false,
  verifier: 'right',
  redirectUri: 'right',
  resource: 'ours',
  secret: 'right',
} as const;

class Redeem extends OfOneFamily implements Step {
  readonly how: Omit<CodeRequest, 'code' | 'client'> & { byOther: boolean };
  readonly times: number;
  constructor(index: number, how: Redeem['how'], times: number) {
    super(index);
    this.how = how;
    this.times = times;
  }
  protected override async act(family: Family, model: Model, real: Driver): Promise<void> {
    const { byOther, ...how } = this.how;
    const client = byOther ? (family.client + 1) % CLIENTS : family.client;
    const request = { ...how, code: family.code, client };
    const outcomes = await Promise.all(
      Array.from({ length: this.times }, () => real.redeem(request)),
    );
    const expected = this.expect(family, model, real.now());
    const won = outcomes.filter((outcome) => typeof outcome !== 'string');
    if (expected !== 'tokens') {
      return outcomes.forEach((outcome) => assert.equal(outcome, expected));
    }
    assert.equal(won.length, 1, `${won.length} redemptions of one code`);
    outcomes.filter((outcome) => typeof outcome === 'string').forEach(isInvalidGrant);
    assert.equal(won[0]!.scope, family.scope);
    handedOut(family, 0, won[0]!.refreshToken);
    Object.assign(family, { openedAt: real.now(), rotatedAt: real.now() });
  }
  private expect(family: Family, model: Model, now: number): string {
    const { byOther, verifier, redirectUri, resource, secret } = this.how;
    if (secret === 'wrong') return 'invalid_client';
    if (resource === 'foreign') return 'invalid_target';
    const replayed = isAlive(family, model, now) && !byOther;
    if (replayed && now - family.openedAt! >= RACE_MS) family.ended = true;
    if (family.openedAt !== undefined || family.codeEndsAt <= now) return 'invalid_grant';
    if (byOther || verifier !== 'right' || redirectUri !== 'right') return 'invalid_grant';
    return 'tokens';
  }
  override toString(): string {
    return `redeem ×${this.times}(${this.index}, ${JSON.stringify(this.how)})`;
  }
}

/** How old the presented refresh token is, in generations; negative ones were never handed out. */
type Age = -2 | -1 | 0 | 1 | 2 | 3;

class Refresh extends OfOneFamily implements Step {
  readonly how: Omit<RefreshRequest, 'token' | 'client'> & { byOther: boolean; age: Age };
  readonly times: number;
  constructor(index: number, how: Refresh['how'], times: number) {
    super(index);
    this.how = how;
    this.times = times;
  }
  protected override async act(family: Family, model: Model, real: Driver): Promise<void> {
    const { byOther, age, ...how } = this.how;
    const client = byOther ? (family.client + 1) % CLIENTS : family.client;
    const generation = Math.max(0, family.newest - age);
    const token = family.tokens.get(generation) ?? real.mint(family.grantId, generation);
    // Without a grace parallel refreshes are a replay, by decision; that is not what is asked here.
    const times = model.lifetimes.graceMs === 0 ? 1 : this.times;
    const request = { ...how, token, client };
    const outcomes = await Promise.all(Array.from({ length: times }, () => real.refresh(request)));
    const expected = this.expect(family, generation, model, real.now());
    for (const outcome of outcomes) {
      if (expected !== 'tokens') {
        assert.equal(outcome, expected);
        continue;
      }
      assert.notEqual(typeof outcome, 'string', `refused: ${outcome as string}`);
      const { refreshToken, scope } = outcome as Exclude<Outcome, string>;
      handedOut(family, generation + 1, refreshToken);
      assert.equal(scope, how.scope === 'less' ? READ : family.scope);
    }
    if (expected !== 'tokens' || generation + 1 === family.newest) return;
    Object.assign(family, { newest: generation + 1, rotatedAt: real.now() });
  }
  private expect(family: Family, generation: number, model: Model, now: number): string {
    const { byOther, scope, resource, secret } = this.how;
    if (secret === 'wrong') return 'invalid_client';
    if (resource === 'foreign') return 'invalid_target';
    if (!isAlive(family, model, now) || byOther) return 'invalid_grant';
    if (scope === 'more' && family.scope === READ) return 'invalid_scope';
    if (generation === family.newest || generation === family.newest + 1) return 'tokens';
    const { graceMs } = model.lifetimes;
    const inGrace = graceMs > 0 && now - family.rotatedAt <= graceMs;
    if (generation === family.newest - 1 && inGrace) return 'tokens';
    family.ended = true;
    return 'invalid_grant';
  }
  override toString(): string {
    return `refresh ×${this.times}(${this.index}, ${JSON.stringify(this.how)})`;
  }
}

class Revoke extends OfOneFamily implements Step {
  readonly byOther: boolean;
  /** Refreshes with the newest token at the same time: whatever comes first, the family is over afterwards. */
  readonly racing: boolean;
  readonly age: 0 | 1;
  constructor(index: number, how: { byOther: boolean; racing: boolean; age: 0 | 1 }) {
    super(index);
    this.byOther = how.byOther;
    this.racing = how.racing && !how.byOther;
    this.age = how.age;
  }
  protected override async act(family: Family, model: Model, real: Driver): Promise<void> {
    const client = this.byOther ? (family.client + 1) % CLIENTS : family.client;
    const newest = family.tokens.get(family.newest);
    const token = family.tokens.get(family.newest - this.age) ?? newest;
    if (token === undefined) return;
    const refreshing = this.racing ? real.refresh(plainRefresh(family, newest!)) : undefined;
    await real.revoke(client, token);
    const outcome = await refreshing;
    if (typeof outcome === 'string') isInvalidGrant(outcome);
    else if (outcome) handedOut(family, family.newest + 1, outcome.refreshToken);
    if (!this.byOther && isAlive(family, model, real.now())) family.ended = true;
  }
  override toString(): string {
    return `revoke(${this.index}, age ${this.age}${this.byOther ? ', by another' : ''}${this.racing ? ', racing' : ''})`;
  }
}

class Pass implements Step {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  async run(model: Model, real: Driver): Promise<void> {
    real.advance(this.ms);
    agree(model, real);
  }
  toString = () => `pass(${this.ms} ms)`;
}

/** Every history ends by asking each family what it is worth. */
export async function judgeAll(model: Model, real: Driver): Promise<void> {
  for (const family of model.families) {
    const alive = isAlive(family, model, real.now());
    const token = family.tokens.get(family.newest) ?? real.mint(family.grantId, family.newest);
    const outcome = await real.refresh(plainRefresh(family, token));
    assert.equal(
      typeof outcome !== 'string',
      alive,
      `family ${family.grantId}: ${String(outcome)}`,
    );
    if (typeof outcome === 'string') isInvalidGrant(outcome);
  }
}

const plainRefresh = (family: Family, token: string): RefreshRequest => ({
  token,
  client: family.client,
  scope: 'as granted',
  resource: 'ours',
  secret: 'right',
});

const isInvalidGrant = (outcome: unknown) => assert.equal(outcome, 'invalid_grant');

/** One generation of a family has one token, whoever asks and however often: otherwise there would be two branches. */
function handedOut(family: Family, generation: number, token: string): void {
  const known = family.tokens.get(generation);
  assert.ok(known === undefined || known === token, `generation ${generation} has forked`);
  family.tokens.set(generation, token);
}

/** What is stored of each family is what the model says. */
function agree(model: Model, real: Driver): void {
  const stored = real.stored?.();
  if (!stored) return;
  for (const family of model.families) {
    const record = stored.get(`${family.grantId} grant`);
    const alive = isAlive(family, model, real.now());
    assert.equal(record !== undefined, alive, `${family.grantId} alive`);
    if (!record) continue;
    const { generation, scope } = JSON.parse(record.value) as Record<string, unknown>;
    assert.deepEqual([generation, scope], [family.newest, family.scope]);
  }
}

function othersUntouched(
  before: ReadonlyMap<string, { version: string }>,
  after: ReadonlyMap<string, { version: string }>,
  grantId: string,
): void {
  const others = (all: ReadonlyMap<string, { version: string }>) =>
    [...all]
      .filter(([name]) => !name.startsWith(`${grantId} `) && !name.endsWith(' client'))
      .map(([name, { version }]) => `${name} ${version}`);
  assert.deepEqual(others(after), others(before), 'another family was touched');
}

/** @param options.secrets whether clients also come with a wrong secret, which only a whole server can judge */
export function histories(options: {
  maxCommands: number;
  secrets: boolean;
  lifetimes: Lifetimes;
}) {
  const { codeMs, familyMs, graceMs } = options.lifetimes;
  const index = fc.nat({ max: MAX_FAMILIES - 1 });
  // Mostly right, so that histories get somewhere.
  const mostly = <T>(usual: T, ...rare: T[]) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(usual) },
      ...rare.map((value) => ({ weight: 1, arbitrary: fc.constant(value) })),
    );
  const secret = options.secrets
    ? mostly<'right' | 'wrong'>('right', 'wrong')
    : fc.constant('right' as const);
  const times = mostly(1, 2, 5);
  const redeem = fc.record({
    byOther: mostly(false, true),
    verifier: mostly<CodeRequest['verifier']>('right', 'wrong', 'missing'),
    redirectUri: mostly<CodeRequest['redirectUri']>('right', 'wrong'),
    resource: mostly<CodeRequest['resource']>('ours', 'foreign'),
    secret,
  });
  const refresh = fc.record({
    age: fc.oneof(
      { weight: 9, arbitrary: fc.constant<Age>(0) },
      { weight: 3, arbitrary: fc.constant<Age>(1) },
      { weight: 1, arbitrary: fc.constantFrom<Age>(-2, -1, 2, 3) },
    ),
    byOther: mostly(false, true),
    scope: mostly<RefreshRequest['scope']>('as granted', 'less', 'more'),
    resource: mostly<RefreshRequest['resource']>('ours', 'foreign'),
    secret,
  });
  const limits = [RACE_MS - 1, RACE_MS, codeMs - 1, codeMs, graceMs, graceMs + 1];
  const pause = mostly(1, ...limits, familyMs / 2, familyMs);
  const consent = fc.record({ write: fc.boolean(), connects: mostly(true, false) });
  const revoke = fc.record({
    byOther: mostly(false, true),
    racing: fc.boolean(),
    age: fc.constantFrom<0 | 1>(0, 1),
  });
  const client = fc.nat({ max: CLIENTS - 1 });
  return fc.commands(
    [
      fc.tuple(client, consent).map((how): Step => new Consent(...how)),
      fc.tuple(index, redeem, times).map((how): Step => new Redeem(...how)),
      fc.tuple(index, refresh, times).map((how): Step => new Refresh(...how)),
      fc.tuple(index, refresh, times).map((how): Step => new Refresh(...how)),
      fc.tuple(index, refresh, times).map((how): Step => new Refresh(...how)),
      fc.tuple(index, refresh, times).map((how): Step => new Refresh(...how)),
      fc.tuple(index, revoke).map((how): Step => new Revoke(...how)),
      pause.map((ms): Step => new Pass(ms)),
    ],
    { maxCommands: options.maxCommands, size: 'max' },
  );
}
