/** Exit codes of every `capfleet` command. docs/errors.md lists them; a test keeps both equal. */
export const exitCode = {
  /** Done, nothing to complain about. */
  ok: 0,
  /** The command could not do what was asked. */
  failed: 1,
  /** The command line or configuration is wrong; nothing was started. */
  usage: 2,
  /** Done, but some files are cut off, damaged or could not be read; the result names them. */
  partial: 3,
  /** A replay ended, but its report misses a threshold. */
  verdict: 4,
  /** Stopped by Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];
