import { bearer } from '../mcp.ts';
import type { Step } from '../step.ts';

export const cleanUpSteps: readonly Step[] = [
  {
    id: 'clean-up',
    title: 'What doctor registered is deleted, where that is offered',
    skipIf: ({ leftBehind }) => (leftBehind.length ? undefined : 'nothing was registered'),
    async run({ http, leftBehind, facts }, says) {
      for (const left of leftBehind) {
        if (!left.management) continue;
        // RFC 7592 §2.3. A server that can not is one that keeps the client, no more.
        const { uri, token } = left.management;
        const answer = await http
          .ask(uri, { method: 'DELETE', headers: bearer(token) })
          .catch(() => undefined);
        left.deleted = answer?.status === 204 || answer?.status === 200;
      }
      const staying = leftBehind.filter(({ deleted }) => !deleted);
      if (staying.length === 0) return says.note('nothing is left behind');
      const ids = staying.map(({ clientId }) => clientId).join(', ');
      const until = facts.ours && !facts.code ? ', collected after 30 days without a login' : '';
      says.note(
        `left behind: ${staying.length} registered client${staying.length > 1 ? 's' : ''} (${ids})${until}`,
      );
    },
  },
];
