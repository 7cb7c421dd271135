/**
 * Groups what comes one by one, so that it can be read from the store many at a time. The last group may be smaller.
 *
 * @param rest waited for after every full group
 */
export async function* batches<T>(
  all: AsyncIterable<T>,
  size: number,
  rest?: () => Promise<void>,
): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const one of all) {
    batch.push(one);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
    await rest?.();
  }
  if (batch.length > 0) yield batch;
}
