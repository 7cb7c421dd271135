import { countVault, type Outcome, resealVault } from '../../../adapters/sealed-records.ts';
import type { Session } from '../session.ts';
import type { Change, Report } from '../verbs.ts';

/** `vault rekey` */
export async function rekeyedVault({ store, secrets, now, terminal }: Session): Promise<Change> {
  const first = secrets.masterKeyIds[0]!;
  const { sealed } = await countVault(store);
  const old = [...sealed].filter(([id]) => id !== first);
  const found = old.flatMap(([id, byKind]) =>
    [...byKind].map(([kind, records]) => ({ masterKey: id, kind, records })),
  );
  const total = found.reduce((sum, { records }) => sum + records, 0);
  const lines = found.map((each) => `  ${each.records} ${each.kind} (${each.masterKey})`);
  const text =
    total === 0
      ? `Everything is sealed under ${first}.`
      : [`To be sealed anew under ${first}:`, ...lines].join('\n');

  return {
    plan: { text, json: { masterKey: first, toReseal: total, found } },
    isEmpty: total === 0,
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
    text: [`${counts.resealed} records are now sealed under ${first}.`, ...lines].join('\n'),
    json: { masterKey: first, ...counts },
    failed: counts.busy! > 0,
  };
}

const sum = (byKind: ReadonlyMap<string, number> | undefined): number =>
  [...(byKind?.values() ?? [])].reduce((total, number) => total + number, 0);
