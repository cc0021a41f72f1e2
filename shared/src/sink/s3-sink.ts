// Objects below a prefix, uploaded in parts while they are written; an upload that is not completed is never seen.
// That a name is free is asked before, and is a condition of the upload where the server knows it.
import { PassThrough } from 'node:stream';
import { Failure } from '../errors/failure.ts';
import { lazyS3, type S3Connection } from '../source/s3/s3-connection.ts';
import { answerOf, s3Failure } from '../source/s3/s3-failure.ts';
import type { S3Options } from '../source/s3/s3-options.ts';
import { formatS3Path, parseS3Path, prefixOf } from '../source/s3/s3-path.ts';
import type { Sink, SinkFile, SinkOptions } from './sink.ts';

const MEBIBYTE = 1024 * 1024;
/** Twice a part is what a file that is being written holds. */
const LEAST_PART_BYTES = 8 * MEBIBYTE;
/** Of a file whose size nobody knows before its end: 625 GiB fit. */
const USUAL_PART_BYTES = 64 * MEBIBYTE;
/** S3 takes 10,000 of one object; a size may be told a little too small. */
const MOST_PARTS = 9000;
const PARTS_AT_ONCE = 2;

/** @param size bytes that the object will have; undefined where nobody knows */
export function partBytes(size: number | undefined): number {
  return size === undefined ? USUAL_PART_BYTES : Math.max(LEAST_PART_BYTES, Math.ceil(size / MOST_PARTS));
}

/**
 * @param place `s3://bucket/prefix`
 * @throws Failure `s3-path-invalid`
 */
export function s3Sink(place: string, options: S3Options): Sink {
  const { bucket, key } = parseS3Path(place);
  const prefix = prefixOf(key);
  const connected = lazyS3(options, options.attempts);
  const pathOf = (name: string): string => formatS3Path({ bucket, key: prefix + name });
  return {
    pathOf,
    async create(name, { overwrite, size }) {
      const connection = await connected();
      const target = { Bucket: bucket, Key: prefix + name };
      if (!overwrite && (await isThere(connection, target, pathOf(name))))
        throw new Failure('output-exists', { path: pathOf(name) });
      return upload(connection, target, overwrite, size, pathOf(name));
    },
  };
}

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

async function upload(
  { client }: S3Connection,
  target: Target,
  overwrite: SinkOptions['overwrite'],
  size: number | undefined,
  path: string,
): Promise<SinkFile> {
  const { Upload } = await import('@aws-sdk/lib-storage');
  const writable = new PassThrough();
  const condition = overwrite ? {} : { IfNoneMatch: '*' };
  const sending = new Upload({
    client,
    params: { ...target, ...condition, Body: writable },
    partSize: partBytes(size),
    queueSize: PARTS_AT_ONCE,
  });
  const sent = sending.done().then(
    () => null,
    (error: unknown) => {
      const failure = failureOf(error, path);
      // Who writes is told at once.
      writable.destroy(failure);
      return failure;
    },
  );
  return {
    writable,
    async commit() {
      const failure = await sent;
      if (failure) throw failure;
    },
    async abort() {
      // A body that fails makes the upload take its parts back before it ends; its own abort() does not wait for that.
      writable.destroy(new Error('given up'));
      await sent;
    },
  };
}

function failureOf(error: unknown, path: string): Failure {
  if (answerOf(error).status === 412) return new Failure('output-exists', { path }, { cause: error });
  return s3Failure(error, path);
}

async function isThere({ sdk, client }: S3Connection, target: Target, path: string): Promise<boolean> {
  try {
    await client.send(new sdk.HeadObjectCommand(target));
    return true;
  } catch (error) {
    if (answerOf(error).status === 404) return false;
    throw s3Failure(error, path);
  }
}
