/**
 * Nothing that opens anything has a place in a log. Lines name their fields one by one and hold no secret; this is the net
 * below that, for text that strangers, NeonPanel and libraries wrote: all our tokens, codes, keys, secrets and MACs, and
 * NeonPanel's tokens, contain a run of at least 32 characters of base64url. So do our ids, which have fields of their own.
 */
const LONG_RUN = /[\w-]{32,}(?:\.[\w-]*)*/g;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** `redis://user:password@host` */
const USERINFO = /\/\/[^\s/@]*@/g;
const REMOVED = '[…]';

/**
 * Text of any origin in a form fit for a log: on one line, without what could be a secret.
 * @param maxLength characters
 */
export const withoutSecrets = (text: string, maxLength: number): string =>
  HARMLESS.test(text) && text.length <= maxLength ? text : cleaned(text, maxLength);

/** Too short for a secret, and nothing else in it that would be removed: most of what is written. */
const HARMLESS = /^[\w./:-]{0,31}$/;

const cleaned = (text: string, maxLength: number): string =>
  firstPart(text, maxLength * 4)
    .replace(USERINFO, `//${REMOVED}@`)
    .replace(LONG_RUN, (run) => (UUID.test(run) ? run : REMOVED))
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, maxLength);

/** What is cut off must not leave the first half of a secret, which would then be too short to be recognised. */
const firstPart = (text: string, maxLength: number): string =>
  text.length <= maxLength ? text : text.slice(0, maxLength).replace(/[\w.-]*$/, REMOVED);
