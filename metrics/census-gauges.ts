import { Gauge, type Registry } from 'prom-client';
import { SEALED_KINDS } from '../adapters/sealed-kinds.ts';
import type { Census } from './census.ts';

type Labels = Record<string, string>;

/**
 * Shows the last census; there is nothing to see before the first.
 *
 * @param masterKeys public names of the master keys; what is sealed under another counts as `unknown`
 */
export function showCensus(
  registers: Registry[],
  latest: () => Census | undefined,
  masterKeys: readonly string[],
): void {
  const nameOf = (key: string) => (masterKeys.includes(key) ? key : 'unknown');

  gauge('grants', 'Live connections.', ['kind'], ({ grants }) =>
    [...grants].map(([kind, count]) => [{ kind }, count]),
  );
  gauge('clients', 'Clients that have a record.', ['kind'], ({ clients }) =>
    [...clients].map(([kind, count]) => [{ kind }, count]),
  );
  gauge(
    'refresh_tokens',
    'Connections, by the master key that their refresh token was made with.',
    ['kid'],
    ({ refreshTokens }) =>
      masterKeysFirst().map((kid) => [{ kid }, sum(refreshTokens, (key) => nameOf(key) === kid)]),
  );
  gauge(
    'sealed_records',
    'Sealed records, by the master key that they are sealed under.',
    ['kid', 'kind'],
    ({ sealed }) =>
      masterKeysFirst().flatMap((kid) =>
        SEALED_KINDS.map(({ name }): [Labels, number] => {
          const under = [...sealed].filter(([key]) => nameOf(key) === kid);
          return [
            { kid, kind: name },
            under.reduce((total, [, byKind]) => total + (byKind.get(name) ?? 0), 0),
          ];
        }),
      ),
  );
  gauge('census_timestamp_seconds', 'When the records were last counted.', [], ({ takenAt }) => [
    [{}, takenAt / 1_000],
  ]);
  gauge('census_duration_seconds', 'How long that took.', [], ({ ms }) => [[{}, ms / 1_000]]);

  function masterKeysFirst(): string[] {
    return [...masterKeys, 'unknown'];
  }

  function gauge(
    name: string,
    help: string,
    labelNames: string[],
    values: (census: Census) => readonly (readonly [Labels, number])[],
  ): void {
    new Gauge({
      name: `neonpanel_mcp_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        const census = latest();
        if (census) for (const [labels, value] of values(census)) this.set(labels, value);
        // prom-client shows a gauge without labels as zero.
        else if (labelNames.length === 0) this.remove();
      },
    });
  }
}

function sum<K>(counts: ReadonlyMap<K, number>, isMeant: (key: K) => boolean): number {
  return [...counts].reduce((total, [key, count]) => total + (isMeant(key) ? count : 0), 0);
}
