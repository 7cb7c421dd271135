/** A process started with `--inspect`, asked about its heap. */
export interface Inspector {
  /** Bytes of live objects: what is used after two full collections. */
  heapUsed(): Promise<number>;
  close(): void;
}

/** @param port of the inspector @throws if there is none */
export async function inspect(port: number): Promise<Inspector> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
  });
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  let last = 0;
  const send = <T>(method: string): Promise<T> =>
    new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, (result) => resolve(result as T));
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    async heapUsed() {
      await send('HeapProfiler.collectGarbage');
      await send('HeapProfiler.collectGarbage');
      return (await send<{ usedSize: number }>('Runtime.getHeapUsage')).usedSize;
    },
    close: () => socket.close(),
  };
}
