import { Cluster, type Redis } from 'ioredis';
import type { Client } from './client.ts';
import { NotCarriedOut } from './tracking.ts';

/**
 * The nodes of a cluster by what it says of its slots, not by the connections there are: a node that is down has none,
 * and would be left out silently.
 */
const SLOTS = 16_384;

/** Outside of a cluster, the one place where records are. */
const ONLY = '';

/** @returns every place that has records @throws NotCarriedOut if a part of the cluster is nobody's */
export function addressesOf(client: Client): string[] {
  if (!(client instanceof Cluster)) return [ONLY];
  const addresses = new Set<string>();
  for (let slot = 0; slot < SLOTS; slot++) addresses.add(ownerOf(client, slot));
  return [...addresses];
}

/** The address of the server that holds the records of a slot. @throws NotCarriedOut if it is nobody's */
export function ownerOf(client: Client, slot: number): string {
  if (!(client instanceof Cluster)) return ONLY;
  const address = client.slots[slot]?.[0];
  if (address === undefined) throw unreachable(client, `slot ${slot}`);
  return address;
}

/** @throws NotCarriedOut if it can't be asked now */
export function nodeAt(client: Client, address: string): Redis {
  if (!(client instanceof Cluster)) return client;
  const node = client
    .nodes('master')
    .find(({ options: { host, port } }) => `${host}:${port}` === address);
  if (node?.status === 'ready' || node?.status === 'wait') return node;
  throw unreachable(client, address);
}

/** It is looked for, so that the next attempt may find it. */
function unreachable(cluster: Cluster, what: string): NotCarriedOut {
  cluster.refreshSlotsCache();
  return new NotCarriedOut(`${what} is not reachable`);
}
