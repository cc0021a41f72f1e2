/**
 * A bucket of its own for a test, on the server that the tests of this run share. A test that needs one is skipped,
 * aloud, where there is no server.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import * as sdk from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { defaultS3Options, type S3Options } from '@capfleet/shared/source/s3/s3-options';
import type { AfterHook } from './temp-dir.ts';

const ENDPOINT = process.env['CAPFLEET_TEST_S3_ENDPOINT'];

/** For `skip`: the reason why there is no server, or false. */
export const withoutS3: string | false =
  ENDPOINT === undefined
    ? (process.env['CAPFLEET_TEST_S3_ABSENT'] ??
      'no S3 server: run through `npm test`, or set CAPFLEET_TEST_S3_ENDPOINT')
    : false;

export const endpoint = ENDPOINT ?? 'http://127.0.0.1:9';

/** How the server is reached, with little patience. */
export function testOptions(options: Partial<S3Options> = {}): S3Options {
  return { ...defaultS3Options, endpoint, pathStyle: true, ...options };
}

/** The same for a command line. */
export const cliOptions = (at = endpoint): string[] => ['--s3-endpoint', at, '--s3-path-style'];

export interface Bucket {
  readonly name: string;
  /** `s3://bucket` */
  readonly path: string;
  readonly client: S3Client;
  put(key: string, bytes: Uint8Array | string): Promise<void>;
  /** An object of many parts, made while it is sent. */
  upload(key: string, bytes: ByteReader): Promise<void>;
  get(key: string): Promise<string>;
  remove(key: string): Promise<void>;
}

export async function makeBucket(t: AfterHook): Promise<Bucket> {
  const name = `capfleet-test-${randomUUID()}`;
  const client = new sdk.S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await client.send(new sdk.CreateBucketCommand({ Bucket: name }));
  t.after(async () => {
    for (;;) {
      const { Contents: left = [] } = await client.send(
        new sdk.ListObjectsV2Command({ Bucket: name, EncodingType: 'url' }),
      );
      if (left.length === 0) break;
      const keys = left.map(({ Key = '' }) => ({ Key: decodeURIComponent(Key.replaceAll('+', ' ')) }));
      await client.send(
        new sdk.DeleteObjectsCommand({ Bucket: name, Delete: { Objects: keys, Quiet: true } }),
      );
    }
    await client.send(new sdk.DeleteBucketCommand({ Bucket: name }));
    client.destroy();
  });
  return {
    name,
    path: `s3://${name}`,
    client,
    async put(key, bytes) {
      await client.send(new sdk.PutObjectCommand({ Bucket: name, Key: key, Body: bytes }));
    },
    async upload(key, bytes) {
      const params = { Bucket: name, Key: key, Body: streamOf(bytes) };
      await new Upload({ client, params, partSize: 32 * 1024 * 1024, queueSize: 2 }).done();
    },
    async get(key) {
      const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: name, Key: key }));
      return (await Body?.transformToString()) ?? '';
    },
    async remove(key) {
      await client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key }));
    },
  };
}

function streamOf(bytes: ByteReader): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        const chunk = Buffer.allocUnsafe(4 * 1024 * 1024);
        const count = await bytes.read(chunk, 0, chunk.length);
        if (count === 0) return;
        yield chunk.subarray(0, count);
      }
    })(),
  );
}
