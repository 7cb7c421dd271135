/** One message as an event. @param json without line breaks */
export const messageEvent = (json: string): string => `event: message\ndata: ${json}\n\n`;

/** The messages in an event stream of the transport, as JSON without line breaks. Its comments are left out. */
export async function* messagesIn(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const frames = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = frames.pop()!;
    for (const frame of frames) {
      const data = frame.split('\n').find((line) => line.startsWith('data: '));
      if (data) yield data.slice('data: '.length);
    }
  }
}
