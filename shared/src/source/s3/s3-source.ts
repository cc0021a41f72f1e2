// Captures in S3 or a server that speaks it. Paths are `s3://bucket/key`, the version of a file is its ETag. Nothing is
// asked of the server, and the SDK is not loaded, before the first use.
import type { ByteReader } from '../../capture/byte-reader.ts';
import { Failure } from '../../errors/failure.ts';
import { retrying } from '../retry.ts';
import type { Source, SourceFile } from '../source.ts';
import { lazyS3, type S3Connection, type WatchS3 } from './s3-connection.ts';
import { s3Failure } from './s3-failure.ts';
import { listObjects } from './s3-listing.ts';
import { retryPolicy, type S3Options } from './s3-options.ts';
import { parseS3Path } from './s3-path.ts';
import { PartReader, type PartPlan } from './s3-reader.ts';
import { fetchStretch, unquoted } from './s3-stretch.ts';
import { stallGuard } from './stall-guard.ts';

/** Below this a GET costs more in waiting than in bytes. */
const SMALLEST_PART = 256 * 1024;

export function s3Source(options: S3Options, watch: WatchS3 | null = null): Source {
  const connected = lazyS3(options, 1, watch);

  /** One request whose answer is small, tried again where that may help. */
  async function ask<T>(
    path: string,
    request: (connection: S3Connection, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const connection = await connected();
    return retrying(retryPolicy(options), null, () =>
      stallGuard(options.stallMs, null, path, ({ signal }) => request(connection, signal)).catch(
        (error: unknown) => {
          throw s3Failure(error, path);
        },
      ),
    );
  }

  async function describe(path: string): Promise<SourceFile> {
    const { bucket, key } = parseS3Path(path);
    if (key === '') throw new Failure('file-missing', { path });
    const head = await ask(path, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
    );
    return {
      path,
      name: key.slice(key.lastIndexOf('/') + 1),
      size: head.ContentLength ?? 0,
      version: unquoted(head.ETag),
    };
  }

  return {
    list: (where, filter) =>
      listObjects(
        where,
        filter,
        (page) =>
          ask(where, ({ sdk, client }, abortSignal) =>
            client.send(new sdk.ListObjectsV2Command(page), { abortSignal }),
          ),
        describe,
      ),

    stat: describe,

    async open({ path, size, version }, { from = 0, length = Number.POSITIVE_INFINITY, ahead } = {}) {
      const to = Math.min(size, from + length);
      if (to <= from) return nothing;
      const connection = await connected();
      return PartReader.open({ from, to, ...partsFor(options, ahead) }, (start, count, take, signal) =>
        fetchStretch(connection, { path, version, from: start, length: count }, take, options, signal),
      );
    },
  };
}

const nothing: ByteReader = {
  read: () => Promise.resolve(0),
  consumed: 0,
  close: () => Promise.resolve(),
};

/** All that the options allow, or as much as who reads wants to have ahead. */
function partsFor(
  { partSize, parallel }: S3Options,
  ahead = Number.POSITIVE_INFINITY,
): Pick<PartPlan, 'partSize' | 'parallel'> {
  const wanted = Math.max(SMALLEST_PART, Math.ceil(ahead / parallel));
  return { partSize: Math.min(partSize, wanted), parallel };
}
