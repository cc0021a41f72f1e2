// Fetches one stretch of an object by ranged GETs. An attempt is one GET; the next attempt goes on at the byte where
// the one before broke off. Every GET is bound to the version of the object, so that the stretch never mixes two.
import { addAbortSignal, type Readable } from 'node:stream';
import { Failure } from '../../errors/failure.ts';
import { retrying } from '../retry.ts';
import type { S3Connection } from './s3-connection.ts';
import { s3Failure } from './s3-failure.ts';
import { retryPolicy, type S3Options } from './s3-options.ts';
import { parseS3Path } from './s3-path.ts';
import { stallGuard, type StallGuard } from './stall-guard.ts';

/** An attempt that brought this much, or all that was left, was not in vain. */
const PROGRESS_BYTES = 64 * 1024;

export interface Stretch {
  readonly path: string;
  /** ETag without quotes. */
  readonly version: string;
  readonly from: number;
  readonly length: number;
}

/**
 * @param take gets the stretch's bytes in order, each once; it has copied them when it returns
 * @throws Failure `file-missing`, `file-changed`, `s3-…`, or the signal's reason
 */
export async function fetchStretch(
  { sdk, client }: S3Connection,
  stretch: Stretch,
  take: (bytes: Buffer) => void,
  options: S3Options,
  signal: AbortSignal,
): Promise<void> {
  const { path, version } = stretch;
  const { bucket, key } = parseS3Path(path);
  let done = 0;
  let before = 0;

  const attempt = async (guard: StallGuard): Promise<void> => {
    before = done;
    // The last attempt broke off behind the last byte.
    if (done === stretch.length) return;
    const from = stretch.from + done;
    const to = stretch.from + stretch.length - 1;
    const answer = await client.send(
      new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: key,
        Range: `bytes=${String(from)}-${String(to)}`,
        IfMatch: `"${version}"`,
      }),
      { abortSignal: guard.signal },
    );
    const body = addAbortSignal(guard.signal, answer.Body as Readable);
    try {
      // For servers that do not know If-Match or Range.
      if (unquoted(answer.ETag) !== version) throw changed(path);
      if (from > 0 && !answer.ContentRange?.startsWith(`bytes ${String(from)}-`)) {
        throw new Failure('s3-rejected', { path, reason: 'the server does not give parts of an object' });
      }
      for await (const bytes of body as AsyncIterable<Buffer>) {
        guard.alive();
        if (done + bytes.length > stretch.length) throw changed(path);
        take(bytes);
        done += bytes.length;
      }
    } finally {
      body.destroy();
    }
    if (done < stretch.length) throw new Failure('s3-failed', { path, reason: 'the body ended too early' });
  };

  await retrying(
    retryPolicy(options),
    signal,
    () =>
      stallGuard(options.stallMs, signal, path, attempt).catch((error: unknown) => {
        throw s3Failure(error, path);
      }),
    () => done - before >= PROGRESS_BYTES,
  );
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '');
}

function changed(path: string): Failure {
  return new Failure('file-changed', { path, difference: 'another object is there now' });
}
