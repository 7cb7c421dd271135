import { bill, pdf } from './examples.ts';
import { object, string, uri } from './schemas.ts';

/** What is sent, by operation. */
export const bodies: Readonly<Record<string, object>> = {
  createDocuments: {
    required: true,
    content: {
      'application/json': {
        schema: object(
          {
            data: {
              type: 'object',
              description: 'The document, with the fields that getImportInstructions names',
            },
          },
          { required: ['data'] },
        ),
        example: bill,
      },
    },
  },
  createDocumentsByPdf: {
    required: true,
    content: {
      'application/json': {
        schema: object(
          { file: object({ name: string, link: uri }, { required: ['name', 'link'] }) },
          { required: ['file'] },
        ),
        example: pdf,
      },
      'application/pdf': {},
      'multipart/form-data': {
        schema: object({ file: { contentMediaType: 'application/pdf' } }, { required: ['file'] }),
      },
    },
  },
};
