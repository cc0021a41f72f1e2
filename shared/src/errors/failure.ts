// The one error class. A failure carries its code and the fields of the message; the text comes from the table.
import { errorTable, type ErrorCode } from './codes.ts';
import type { ExitCode } from './exit-codes.ts';

export type FailureFields = Readonly<Record<string, string | number>>;

/** A failure as it travels through queues, streams and JSON. */
export interface FailureRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

export class Failure extends Error {
  readonly code: ErrorCode;
  readonly fields: FailureFields;
  readonly hint: string;

  /**
   * @param options `told`: what the other side calls it, for who looks it up there; `record`: it came from elsewhere,
   * and is told in the words that came with it
   */
  constructor(
    code: ErrorCode,
    fields: FailureFields = {},
    options: { cause?: unknown; told?: string; record?: FailureRecord } = {},
  ) {
    const { told, record, ...rest } = options;
    const { message, hint } = record ?? errorTable[code];
    super(`${fill(message, fields)}${told === undefined ? '' : ` (${told})`}`, rest);
    this.name = 'Failure';
    this.code = code;
    this.fields = fields;
    this.hint = fill(hint, fields);
  }

  get exit(): ExitCode {
    return errorTable[this.code].exit;
  }

  get status(): number {
    return errorTable[this.code].status;
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }

  toRecord(): FailureRecord {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/** By the first word of what Redis answers. */
const OF_REDIS: ReadonlyMap<string, ErrorCode> = new Map([
  ['NOPERM', 'redis-forbidden'],
  ['WRONGTYPE', 'redis-foreign'],
  ['OOM', 'redis-refused'],
  ['MISCONF', 'redis-refused'],
  ['READONLY', 'redis-refused'],
  ['NOREPLICAS', 'redis-refused'],
]);

/** Any thrown value as a Failure; what is none becomes `internal` with the value as cause. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const reason = reasonOf(thrown);
  const [, code = ''] = /^([A-Z]+) /.exec(reason) ?? [];
  return new Failure(OF_REDIS.get(code) ?? 'internal', { reason }, { cause: thrown });
}

/** The short reason of a thrown value: its message, or its errno name where the message is empty. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.message === '' ? (errnoOf(thrown) ?? thrown.name) : thrown.message;
}

/** The errno name (`ENOENT` …) of a system error, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return undefined;
}

function fill(template: string, fields: FailureFields): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = fields[name];
    return value === undefined ? whole : String(value);
  });
}
