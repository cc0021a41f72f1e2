// A mapping as an object in S3. It replaces the very object that was there when the work began, or none: a writer that
// came in between is an error, not a loss. The condition goes with the upload; it is also checked by hand at the end
// of the text, because some servers do not know it for uploads of several parts (docs/s3.md). An upload that is not
// completed never becomes visible.
import { Readable } from 'node:stream';
import { connectS3, type S3Connection } from '@capfleet/shared/source/s3/s3-connection';
import { answerOf, s3Failure } from '@capfleet/shared/source/s3/s3-failure';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { parseS3Path } from '@capfleet/shared/source/s3/s3-path';
import { unquoted } from '@capfleet/shared/source/s3/s3-stretch';
import { Failure } from '@capfleet/shared/errors/failure';
import type { DumpTarget } from './dump-target.ts';

/** An object up to this size is one request. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 2;

/** @throws Failure `s3-path-invalid`, `s3-bucket-missing`, `s3-denied` … */
export async function claimObject(path: string, options: S3Options): Promise<DumpTarget> {
  const { bucket, key } = parseS3Path(path);
  if (key === '' || key.endsWith('/')) {
    throw new Failure('dump-unwritable', { path, reason: 'it names no object but a prefix' });
  }
  // Parts are in memory until they are sent, so the SDK can send them again by itself.
  const connection = await connectS3(options, options.attempts);
  const target = { Bucket: bucket, Key: key };
  const before = await etagOf(connection, target, path);
  if (before === null) await checkBucket(connection, bucket, path);
  return { commit: (text) => upload(connection, target, before, text, path) };
}

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

async function upload(
  connection: S3Connection,
  target: Target,
  before: string | null,
  text: AsyncIterable<string>,
  path: string,
): Promise<void> {
  const { Upload } = await import('@aws-sdk/lib-storage');
  async function* guarded(): AsyncIterable<string> {
    yield* text;
    if ((await etagOf(connection, target, path)) !== before) throw new Failure('dump-conflict', { path });
  }
  // Without quotes: every server takes that, and radosgw nothing else.
  const condition = before === null ? { IfNoneMatch: '*' } : { IfMatch: before };
  try {
    await new Upload({
      client: connection.client,
      params: { ...target, ...condition, Body: Readable.from(guarded()), ContentType: 'application/json' },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
    }).done();
  } catch (error) {
    const { status } = answerOf(error);
    if (status === 412 || status === 409) throw new Failure('dump-conflict', { path }, { cause: error });
    throw s3Failure(error, path);
  }
}

/** ETag of what is there, null where nothing is. */
async function etagOf({ sdk, client }: S3Connection, target: Target, path: string): Promise<string | null> {
  try {
    return unquoted((await client.send(new sdk.HeadObjectCommand(target))).ETag);
  } catch (error) {
    if (answerOf(error).status === 404) return null;
    throw s3Failure(error, path);
  }
}

/** The answer to a HEAD does not tell a missing bucket from a missing key. */
async function checkBucket({ sdk, client }: S3Connection, bucket: string, path: string): Promise<void> {
  try {
    await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (answerOf(error).status === 404) throw new Failure('s3-bucket-missing', { bucket }, { cause: error });
    // Who may write may not be allowed to look.
    if (answerOf(error).status !== 403) throw s3Failure(error, path);
  }
}
