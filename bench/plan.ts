/** How much is measured. */
export interface Plan {
  readonly name: 'full' | 'quick' | 'smoke';
  /** Each side of a row in every round, one after the other. */
  readonly rounds: number;
  readonly secondsPerRound: number;
  /** Instead of a time: so many requests each, for rounds that must end soon on any machine. */
  readonly requestsPerRound?: number;
  /**
   * Each side, before the first round: at least so long, and until it has served so many requests, or for `mostSeconds` (a
   * multiple of `seconds`: it is warmed in stretches of those). V8 compiles what a request uses until there were tens of
   * thousands of them, so by time alone slow sides, and long flows most of all, would be measured cold and quick ones warm.
   */
  readonly warmUp: {
    readonly seconds: number;
    readonly requests: number;
    readonly mostSeconds: number;
  };
  /** Requests under way at a time. */
  readonly connections: number;
  /** Flows (connections of clients, refreshes) under way at a time. */
  readonly flows: number;
  /** Users who connected before the calls begin; their tokens take turns. */
  readonly users: number;
  /** Calls of the memory row (G11). */
  readonly memoryCalls: number;
  /** How often the start is measured (G13). */
  readonly starts: number;
}

export const PLANS: Readonly<Record<Plan['name'], Plan>> = {
  full: {
    name: 'full',
    rounds: 5,
    secondsPerRound: 3,
    warmUp: { seconds: 6, requests: 40_000, mostSeconds: 30 },
    connections: 32,
    flows: 16,
    users: 200,
    memoryCalls: 1_000_000,
    starts: 7,
  },
  quick: {
    name: 'quick',
    rounds: 3,
    secondsPerRound: 0.3,
    warmUp: { seconds: 0.3, requests: 0, mostSeconds: 0.3 },
    connections: 16,
    flows: 8,
    users: 16,
    memoryCalls: 10_000,
    starts: 2,
  },
  smoke: {
    name: 'smoke',
    rounds: 1,
    secondsPerRound: 0.1,
    requestsPerRound: 4,
    warmUp: { seconds: 0, requests: 0, mostSeconds: 0 },
    connections: 2,
    flows: 2,
    users: 2,
    memoryCalls: 60,
    starts: 1,
  },
};
