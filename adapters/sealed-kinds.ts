import type { Key } from './store.ts';

/**
 * Every kind of record in which something is sealed: where in the record, and for what context. Whoever seals takes the
 * context from here, and `vault check` and `vault rekey` go through the list, so a kind that is not in it can neither be
 * sealed nor be forgotten when a master key goes.
 */

/** What a sealed value belongs to. The same one is needed to open it, so records can't be swapped. */
export type Context = string & { readonly of: 'sealed-kinds.ts' };

export const sealContext = {
  signingKeys: () => context('signing keys'),
  credential: (grantId: string, accountId: string) => context(`credential ${grantId} ${accountId}`),
  clientSecret: (clientId: string) => context(`client ${clientId}`),
  login: (uid: string) => context(`login ${uid}`),
  idempotency: (tag: string) => context(`idempotency ${tag}`),
  neonpanelClient: () => context('client at NeonPanel'),
};

const context = (text: string) => text as Context;

/** Records of the same tag, by kind. */
export type Beside = Readonly<Record<string, string | undefined>>;

export interface SealedKind {
  /** For people, in the plural. */
  readonly name: string;
  readonly kind: string;
  /** Tells records of one kind apart where a kind is used twice. */
  readonly isOwn: (tag: string) => boolean;
  /** The member that is sealed; undefined if it is the whole value. */
  readonly member?: string;
  /** Kinds of the same tag that are needed to know the context. */
  readonly beside: readonly string[];
  /** @returns the contexts that come into question; none while it can't be known */
  contexts(tag: string, beside: Beside): Context[];
  /** Kinds of the same tag whose record says that somebody is at work on this one: it is left alone meanwhile. */
  readonly busyWhile?: string;
  /** Not sealed anew if this is true of its content: somebody holds its version and is about to replace it. */
  readonly isUnderWay?: (content: unknown, now: number) => boolean;
  /** Not sealed anew at all, because it ends by itself within so many seconds. */
  readonly endsWithinSeconds?: number;
}

/** The tag of our own client at NeonPanel, a record of the same kind as those of our clients. */
export const NEONPANEL_TAG = 'neonpanel';
export const isOfClient = (tag: string): boolean => tag !== NEONPANEL_TAG;
const anyTag = () => true;

export const SEALED_KINDS: readonly SealedKind[] = [
  {
    name: 'signing keys',
    kind: 'signing',
    isOwn: anyTag,
    beside: [],
    contexts: () => [sealContext.signingKeys()],
  },
  {
    name: 'NeonPanel credentials',
    kind: 'credential',
    isOwn: anyTag,
    // The user is in the grant; before there is one, in the code; and before that, in the answer to the request.
    beside: ['grant', 'code', 'interaction'],
    contexts: (tag, beside) => accountsIn(beside).map((id) => sealContext.credential(tag, id)),
    busyWhile: 'refresh-lease',
  },
  {
    name: 'client secrets',
    kind: 'client',
    isOwn: isOfClient,
    member: 'secret',
    beside: [],
    contexts: (tag) => [sealContext.clientSecret(tag)],
  },
  {
    name: 'our client at NeonPanel',
    kind: 'client',
    isOwn: (tag) => !isOfClient(tag),
    beside: [],
    contexts: () => [sealContext.neonpanelClient()],
  },
  {
    name: 'idempotency records',
    kind: 'idempotency',
    isOwn: anyTag,
    beside: [],
    contexts: (tag) => [sealContext.idempotency(tag)],
    isUnderWay: isStarted,
  },
  {
    name: 'logins under way',
    kind: 'login',
    isOwn: anyTag,
    member: 'sealed',
    beside: [],
    contexts: (tag) => [sealContext.login(tag)],
    endsWithinSeconds: 600,
  },
];

/** What is sealed in a record, if anything is. */
export function sealedKindOf({ tag, kind }: Key): SealedKind | undefined {
  return SEALED_KINDS.find((each) => each.kind === kind && each.isOwn(tag));
}

/** @returns the sealed text in a record of this kind; undefined if this one has none */
export function sealedPart({ member }: SealedKind, value: string): string | undefined {
  if (member === undefined) return value;
  const part = parse(value)?.[member];
  return typeof part === 'string' ? part : undefined;
}

/** @returns the record with another sealed text in its place */
export function withSealedPart({ member }: SealedKind, value: string, sealed: string): string {
  return member === undefined ? sealed : JSON.stringify({ ...parse(value), [member]: sealed });
}

/** A call ends within seconds; what the store did not take of it is offered for ten minutes. */
const CALL_MS = 11 * 60_000;

function isStarted(content: unknown, now: number): boolean {
  const { state, startedAt } = content as { state?: unknown; startedAt?: unknown };
  return state === 'started' && !(typeof startedAt === 'number' && startedAt + CALL_MS < now);
}

function accountsIn({ grant, code, interaction }: Beside): string[] {
  const accounts = [
    parse(grant)?.accountId,
    (parse(code)?.payload as Members)?.accountId,
    ((parse(interaction)?.result as Members)?.login as Members)?.accountId,
  ];
  return [...new Set(accounts.filter((account) => typeof account === 'string'))];
}

type Members = Readonly<Record<string, unknown>> | undefined;

/** A record that is over may hold a word instead of JSON. */
function parse(value: string | undefined): Members {
  if (!value?.startsWith('{')) return undefined;
  return JSON.parse(value) as Members;
}
