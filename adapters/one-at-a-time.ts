/** Work on the same thing, one piece after the other; on different things side by side. */
export interface OneAtATime {
  /** @returns what comes of it when it is its turn, whatever became of what was before */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when what is there now is done. @throws what the last work of a key threw */
  done(): Promise<void>;
}

export function createOneAtATime(): OneAtATime {
  /** The last of each key; nothing is kept of one whose work is done. */
  const turns = new Map<string, Promise<unknown>>();

  return {
    run(key, work) {
      const turn = (turns.get(key) ?? Promise.resolve()).then(work, work);
      turns.set(key, turn);
      const leave = () => turns.get(key) === turn && turns.delete(key);
      void turn.then(leave, leave);
      return turn;
    },
    async done() {
      await Promise.all(turns.values());
    },
  };
}
