/**
 * What a stream brings, if it is not more than so many bytes. Else it is left in the middle, which destroys it and its
 * socket.
 *
 * @throws what `tooLarge` makes
 */
export async function bytesOf(
  stream: AsyncIterable<Buffer>,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of stream) {
    received += chunk.length;
    if (received > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
