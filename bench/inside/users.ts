import type { User } from '../../sandbox/data/model.ts';
import { users as real } from '../../sandbox/data/users.ts';
import { seller, SELLERS } from '../sellers.ts';

const [model] = real;

/** The sandbox's own, and the sellers of the bench, who see what the first of them sees. */
export const users: User[] = [
  ...real,
  ...Array.from({ length: SELLERS }, (_, n) => ({
    ...model!,
    ...seller(n),
    id: String(100_000 + n),
    name: `Seller ${n}`,
  })),
];
