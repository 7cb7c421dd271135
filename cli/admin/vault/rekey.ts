import { countVault, type Outcome, resealVault } from '../../../adapters/sealed-records.ts';
import { SealBroken, type Secrets } from '../../../adapters/secrets.ts';
import type { Store } from '../../../adapters/store.ts';
import { openKeys, SIGNING_KEYS } from '../../../keys/key-record.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { counted } from '../table.ts';
import type { Change, Report } from '../verbs.ts';

/** `vault rekey` */
export async function rekeyedVault({ store, secrets, now, terminal }: Session): Promise<Change> {
  await assertSigningKeysOpen(store, secrets);
  const first = secrets.masterKeyIds[0]!;
  const { sealed } = await countVault(store);
  const partsOf = (isMeant: (id: string) => boolean) =>
    [...sealed].flatMap(([id, byKind]) =>
      [...byKind].flatMap(([kind, records]) =>
        isMeant(id) ? [{ masterKey: id, kind, records }] : [],
      ),
    );
  const isListed = (id: string) => secrets.masterKeyIds.includes(id);
  const found = partsOf((id) => id !== first && isListed(id));
  const unreadable = partsOf((id) => !isListed(id));
  const [toReseal, lost] = [total(found), total(unreadable)];
  const text = [
    toReseal > 0 ? `To be sealed anew under ${first}:` : `Nothing is to be sealed anew.`,
    ...found.map(inWords),
    ...(lost > 0 ? [`What none of the MASTER_KEYS opens stays as it is:`] : []),
    ...unreadable.map(inWords),
  ];
  const fresh = total(partsOf((id) => id === first));
  const isAll = toReseal + lost === 0;

  return {
    plan: {
      text: isAll ? `Everything is sealed under ${first}.` : text.join('\n'),
      json: { masterKey: first, toReseal, found, unreadable },
      failed: lost > 0,
    },
    nothing: toReseal > 0 ? undefined : { masterKey: first, ...NOTHING, fresh, unreadable: lost },
    async apply() {
      let toldAt = 0;
      const onProgress = (looked: number) => {
        if (now() - toldAt < 1_000) return;
        toldAt = now();
        terminal.err(`${looked} records looked at\n`);
      };
      const outcomes = await resealVault({ store, secrets, now, onProgress });
      return { report: reportOf(first, outcomes), facts: { count: sum(outcomes.get('resealed')) } };
    },
  };
}

function reportOf(
  first: string,
  outcomes: ReadonlyMap<Outcome, ReadonlyMap<string, number>>,
): Report {
  const tell = (outcome: Outcome, what: string): string[] =>
    [...(outcomes.get(outcome) ?? [])].map(([kind, number]) => `  ${number} ${kind} ${what}`);
  const counts = Object.fromEntries(
    (['resealed', 'fresh', 'busy', 'left', 'unreadable'] as const).map((outcome) => [
      outcome,
      sum(outcomes.get(outcome)),
    ]),
  );
  const lines = [
    ...tell('resealed', 'were sealed anew'),
    ...tell('busy', 'are just being written: run it again'),
    ...tell('left', 'end by themselves within ten minutes'),
    ...tell('unreadable', "can't be opened: they count as absent"),
  ];
  return {
    text: [`Sealed anew under ${first}: ${counted(counts.resealed!, 'record')}.`, ...lines].join(
      '\n',
    ),
    json: { masterKey: first, ...counts },
    failed: counts.busy! + counts.unreadable! > 0,
  };
}

const NOTHING = { resealed: 0, fresh: 0, busy: 0, left: 0, unreadable: 0 };

interface Part {
  readonly masterKey: string;
  readonly kind: string;
  readonly records: number;
}

const inWords = ({ masterKey, kind, records }: Part) => `  ${records} ${kind} (${masterKey})`;
const total = (parts: readonly Part[]) => parts.reduce((sum, { records }) => sum + records, 0);

/** With keys that do not even open these, the rest would be resealed for a server that can't start. */
async function assertSigningKeysOpen(store: Store, secrets: Secrets): Promise<void> {
  const [entry] = await store.read(SIGNING_KEYS);
  try {
    if (entry) await openKeys(secrets, entry);
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    throw new AdminError(
      'refused',
      'None of the MASTER_KEYS opens the signing keys, so these are not the keys of this store: nothing is sealed anew. ' +
        'Add the one that it was sealed with, at the end.',
    );
  }
}

const sum = (byKind: ReadonlyMap<string, number> | undefined): number =>
  [...(byKind?.values() ?? [])].reduce((total, number) => total + number, 0);
