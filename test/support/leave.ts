import { registerCompletionHandler } from 'ava';

/**
 * Loaded into every test process. One whose tests are done, and in which nothing is left to do, leaves by `exit`. If it just
 * came to its end, Node would take itself apart first, and wait in there for requests of sockets that were cut off at a
 * bad moment: rarely, but then for ever, at full speed. What is left open still keeps a process from ending, and is seen.
 */
registerCompletionHandler(() => void process.once('beforeExit', () => process.exit()));
