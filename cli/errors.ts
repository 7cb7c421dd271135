/**
 * Exit codes that scripts can use. Everything that is not a success has an error code too, which `--json` prints.
 */
export const EXIT = {
  done: 0,
  /** Something that was checked is not as it should be, or something failed that nobody expected. */
  failed: 1,
  /** Wrong arguments, or an environment that can't be used. */
  usage: 2,
  /** It would break something; the message says what, and how to insist. */
  refused: 3,
  not_found: 4,
  /** Somebody else changed the same thing at the same time. */
  conflict: 5,
  not_confirmed: 6,
} as const;

export type ErrorCode = Exclude<keyof typeof EXIT, 'done'>;

/** Why a command did not do what it was asked. Its message is for the admin, and holds no secret. */
export class AdminError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'AdminError';
    this.code = code;
  }
}

/** Ends a command whose report says all there is to say. */
export class Found extends Error {
  readonly exitCode = EXIT.failed;
}
