// What S3 answers, in our words: the only place that knows the SDK's errors. 5xx, throttling, broken connections and
// stalls (told by who waits) are `s3-failed`, which may pass; everything else is final.
import { errnoOf, Failure, reasonOf } from '../../errors/failure.ts';
import { isS3Path, parseS3Path } from './s3-path.ts';

/** Codes below 500 (or without a status) that the next attempt may not meet. */
const passing = new Set([
  'TimeoutError',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'TooManyRequestsException',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'OperationAborted',
]);
const credentials = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'TokenRefreshRequired',
]);

/** What Node's TLS says of certificates, and of settings that cannot be right. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|^ERR_(TLS|SSL|INVALID)/;

/** @param path the object's or prefix's full name */
export function s3Failure(error: unknown, path: string): Failure {
  if (error instanceof Failure) return error;
  const cause = { cause: error };
  const { status, code } = answerOf(error);
  const reason = reasonFor(error, code);
  if (credentials.has(code)) return new Failure('s3-credentials', { reason }, cause);
  // Without an answer, an errno tells that the connection broke; a certificate that is not trusted stays so.
  const errno = errnoOf(error);
  const broken = status === null && errno !== undefined && !UNTRUSTED.test(errno);
  // What a server has not learnt (501), it will not learn by asking again.
  const upset = status !== null && (status === 429 || (status >= 500 && status !== 501));
  if (broken || upset || passing.has(code)) return new Failure('s3-failed', { path, reason }, cause);
  if (code === 'NoSuchBucket') {
    const bucket = isS3Path(path) ? parseS3Path(path).bucket : path;
    return new Failure('s3-bucket-missing', { bucket }, { ...cause, told: code });
  }
  if (code === 'NoSuchKey' || code === 'NotFound')
    return new Failure('file-missing', { path }, { ...cause, told: code });
  if (status === 412 || status === 416) {
    return new Failure('file-changed', { path, difference: 'another object is there now' }, cause);
  }
  if (status === 401 || status === 403) return new Failure('s3-denied', { path, code }, cause);
  return new Failure('s3-rejected', { path, reason }, cause);
}

/** HTTP status of a refusal, null where there is none; S3's code, or the errno of the connection. */
export function answerOf(error: unknown): { readonly status: number | null; readonly code: string } {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata;
  const status = (metadata?.httpStatusCode ?? 0) >= 300 ? Number(metadata?.httpStatusCode) : null;
  const name = error instanceof Error ? error.name : '';
  // An answer without a body (to HEAD, or from a proxy) has no code of S3 in it.
  const told = name !== '' && !/^(Unknown|UnknownError|Error|\d+)$/.test(name);
  return { status, code: told ? name : (errnoOf(error) ?? `HTTP status ${String(status ?? 'unknown')}`) };
}

function reasonFor(error: unknown, code: string): string {
  const text = reasonOf(error);
  return text === 'UnknownError' || text === 'Unknown' || text.includes(code) ? code : `${code}: ${text}`;
}
