import { createBreaker } from '../../adapters/neonpanel/breaker.ts';
import { createLog } from '../../log.ts';

/** One that nobody else's failures have opened. */
export const newBreaker = () => createBreaker(createLog('silent'));
