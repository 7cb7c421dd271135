/** Loaded into a server with `--import`: its clock is as many milliseconds off as the last message says. */
const RealDate = Date;
let offMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...parts: [] | [number | string | Date]) {
    if (parts.length === 0) super(RealDate.now() + offMs);
    else super(...(parts as [number]));
  }

  static override now(): number {
    return RealDate.now() + offMs;
  }
} as DateConstructor;

process.on('message', (off: number) => {
  offMs = off;
  process.send!(off);
});
process.channel!.unref();
