import { spawn } from 'node:child_process';

/** Programs that take an address and show it in the browser that the user has chosen; no shell has a part in it. */
const OPENERS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Where there is none, or no screen, nothing happens: the address is printed as well. */
export function openBrowser({ protocol, href }: URL): void {
  // The address is what a stranger's server says.
  if (protocol !== 'https:' && protocol !== 'http:') return;
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(program!, [...args, href], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
