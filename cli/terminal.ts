import confirmPrompt from '@inquirer/confirm';
import passwordPrompt from '@inquirer/password';
import { openBrowser } from './open-browser.ts';

/** Where a command is run: what it prints to, and whom it can ask. Tests bring their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results, and nothing else: a script reads it. */
  out(text: string): void;
  /** Everything else: questions, progress, errors, the audit log. */
  err(text: string): void;
  /** Epoch milliseconds; tests bring the clock of the instances they work beside. */
  readonly now?: () => number;
  /** True if there is somebody to answer. */
  readonly isInteractive: boolean;
  /** @returns false if the answer was anything but yes */
  confirm(question: string): Promise<boolean>;
  /** Shows a page in the system's browser, if there is one. */
  openBrowser?(url: URL): void;
  /** Without an echo. */
  secret(prompt: string): Promise<string>;
}

/** The process's own. */
export const processTerminal = (): Terminal => ({
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  openBrowser,
  isInteractive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
  confirm: (message) =>
    untilInputEnds((context) => confirmPrompt({ message, default: false }, context)),
  secret: (message) =>
    untilInputEnds((context) => passwordPrompt({ message, mask: false }, context)),
});

/**
 * Asks on stderr, so that stdout can be a file. At the end of input (Ctrl-D) nobody is going to answer, and the prompt
 * itself would not end.
 *
 * @throws Error named `ExitPromptError` or `AbortPromptError` if there is no answer
 */
async function untilInputEnds<T>(
  ask: (context: { output: NodeJS.WritableStream; signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const end = () => ended.abort();
  const isCtrlD = (bytes: Buffer) => bytes.includes(4) && end();
  const { stdin, stderr: output } = process;
  stdin.once('end', end).on('data', isCtrlD);
  try {
    return await ask({ output, signal: ended.signal });
  } finally {
    stdin.off('end', end).off('data', isCtrlD);
  }
}
