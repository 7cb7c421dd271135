/** One parsed line of the product's structured log. */
export type LogEntry = Readonly<Record<string, unknown>>;

export interface Logs {
  /** The destination to give to createLog. */
  readonly sink: { write(line: string): void };
  /** Everything written so far, as it was written. */
  readonly text: () => string;
  readonly entries: () => LogEntry[];
  /** Entries that have all these properties, e.g. `find({ event: 'token', outcome: 'refused' })`. */
  find(properties: LogEntry): LogEntry[];
  /** The only such entry. @throws when there is none or more than one, with what is there instead */
  only(properties: LogEntry): LogEntry;
  /** Resolves to the first such entry, once it is there. */
  waitFor(properties: LogEntry, timeoutMs?: number): Promise<LogEntry>;
  /** Which of these texts appear anywhere in the log: canaries that must not. */
  leaked(secrets: readonly string[]): string[];
  clear(): void;
}

/** Keeps a log in memory, to be searched. */
export function createLogs(): Logs {
  let lines: string[] = [];
  const waiting = new Set<() => void>();
  const text = (): string => lines.join('');
  const entries = (): LogEntry[] => text().split('\n').filter(Boolean).map(parse);
  const find = (properties: LogEntry): LogEntry[] => entries().filter((e) => has(e, properties));

  return {
    sink: {
      write(line) {
        lines.push(line);
        waiting.forEach((look) => look());
      },
    },
    text,
    entries,
    find,
    only(properties) {
      const found = find(properties);
      if (found.length === 1) return found[0]!;
      const wanted = JSON.stringify(properties);
      throw new Error(`${found.length} log entries match ${wanted}; the log is:\n${text()}`);
    },
    waitFor(properties, timeoutMs = 5000) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const [entry] = find(properties);
          if (entry) finish(() => resolve(entry));
        };
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        const missing = `no log entry matches ${JSON.stringify(properties)}`;
        const timer = setTimeout(() => finish(() => reject(new Error(missing))), timeoutMs);
        waiting.add(look);
        look();
      });
    },
    leaked: (secrets) => secrets.filter((secret) => text().includes(secret)),
    clear() {
      lines = [];
    },
  };
}

/** A line that is not JSON is a bug of the product; it stays findable by its text. */
function parse(line: string): LogEntry {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return { unstructured: line };
  }
}

const has = (entry: LogEntry, properties: LogEntry): boolean =>
  Object.entries(properties).every(
    ([name, value]) => JSON.stringify(entry[name]) === JSON.stringify(value),
  );
