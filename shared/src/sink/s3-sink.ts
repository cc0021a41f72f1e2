// Objects below a prefix, uploaded in parts while they are written; an upload that is not completed is never seen.
// That a name is free is asked before, and is a condition of the upload where the server knows it.
import { PassThrough } from 'node:stream';
import { Failure } from '../errors/failure.ts';
import { lazyS3, type S3Connection } from '../source/s3/s3-connection.ts';
import { answerOf, s3Failure } from '../source/s3/s3-failure.ts';
import type { S3Options } from '../source/s3/s3-options.ts';
import { formatS3Path, parseS3Path, prefixOf } from '../source/s3/s3-path.ts';
import { uploadObject, type UploadTarget } from './s3-upload.ts';
import type { Sink, SinkFile } from './sink.ts';

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
    async create(name, { overwrite }) {
      const connection = await connected();
      const target = { Bucket: bucket, Key: prefix + name };
      if (!overwrite && (await isThere(connection, target, pathOf(name))))
        throw new Failure('output-exists', { path: pathOf(name) });
      return upload(connection, overwrite ? target : { ...target, IfNoneMatch: '*' }, pathOf(name));
    },
  };
}

function upload(connection: S3Connection, target: UploadTarget, path: string): SinkFile {
  const writable = new PassThrough();
  const aborted = new AbortController();
  const sent = uploadObject(connection, target, writable, aborted.signal).then(
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
      writable.destroy();
      aborted.abort();
      await sent;
    },
  };
}

function failureOf(error: unknown, path: string): Failure {
  if (answerOf(error).status === 412) return new Failure('output-exists', { path }, { cause: error });
  return s3Failure(error, path);
}

async function isThere(
  { sdk, client }: S3Connection,
  target: Pick<UploadTarget, 'Bucket' | 'Key'>,
  path: string,
): Promise<boolean> {
  try {
    await client.send(new sdk.HeadObjectCommand(target));
    return true;
  } catch (error) {
    if (answerOf(error).status === 404) return false;
    throw s3Failure(error, path);
  }
}
