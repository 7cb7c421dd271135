import { refuse } from '../errors.ts';
import { jsonObject } from '../http/body.ts';
import type { Call } from './operation.ts';

const nameMax = 255;

/** The name of the PDF in any of the three ways to send one: raw, multipart, or a link in JSON. */
export async function readPdf(call: Call): Promise<string> {
  const [type = ''] = call.contentType.toLowerCase().split(';');
  const readers: Record<string, () => string | undefined | Promise<string | undefined>> = {
    'application/pdf': () => {
      const name = call.query.text('filename');
      call.query.done();
      if (!name) throw refuse(400, 'The filename parameter is required.');
      return call.body.length > 0 ? name : undefined;
    },
    'multipart/form-data': () => multipartName(call),
    'application/json': () => linkedName(call.body),
  };
  const reader = Object.hasOwn(readers, type.trim()) ? readers[type.trim()] : undefined;
  if (!reader) throw refuse(415, 'Only application/pdf and application/json are supported.');
  const name = await reader();
  if (!name || name.length > nameMax) throw refuse(400, 'The file is missing or broken.');
  return name;
}

async function multipartName({ body, contentType }: Call): Promise<string | undefined> {
  try {
    const headers = { 'Content-Type': contentType };
    const form = await new Response(new Uint8Array(body), { headers }).formData();
    const file = form.get('file');
    return file instanceof File ? file.name : undefined;
  } catch {
    return undefined;
  }
}

function linkedName(body: Buffer): string | undefined {
  const file = jsonObject(body)?.file;
  if (typeof file !== 'object' || file === null) return undefined;
  const { name, link } = file as Record<string, unknown>;
  const url = typeof link === 'string' ? URL.parse(link) : null;
  const usable = url?.protocol === 'https:' || url?.protocol === 'http:';
  return usable && typeof name === 'string' ? name : undefined;
}
