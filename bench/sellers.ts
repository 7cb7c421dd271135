/** Whoever signs in at the sandbox during a run; bench/inside/users.ts lets them in. Nobody else is called so. */
export interface Seller {
  readonly email: string;
  readonly password: string;
}

/** More than sign in during a round, so that nobody has more connections than people have. */
export const SELLERS = 5_000;

/** @param n counts sign-ins; everybody has their turn before anybody has another */
export const seller = (n: number): Seller => ({
  email: `seller-${n % SELLERS}@bench.example`,
  password: 'invented-for-the-bench',
});
