// Writes an object whose size nobody knows before its end: in one request where it is small, else in parts. A part is
// in memory until it is sent; parts grow as the object does, so that those that S3 takes hold the largest object that S3
// takes, and small ones cost little. An upload that is not completed is never seen.
import type { CompletedPart } from '@aws-sdk/client-s3';
import type { S3Connection } from '../source/s3/s3-connection.ts';

const MEBIBYTE = 1024 * 1024;
/** Of one object. */
export const MOST_PARTS = 10_000;
const LEAST_PART_BYTES = 8 * MEBIBYTE;
/** Parts of that size before they grow: 8 GiB. Some servers take parts of one size only. */
const EQUAL_PARTS = 1000;
const GROWTH_BYTES = 144 * 1024;
const PARTS_AT_ONCE = 2;

/** @param number of the part, from 1 */
export function partBytes(number: number): number {
  return LEAST_PART_BYTES + GROWTH_BYTES * Math.max(0, number - EQUAL_PARTS);
}

export interface UploadTarget {
  readonly Bucket: string;
  readonly Key: string;
  readonly ContentType?: string;
  /** Conditions, where the server knows them. */
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
}

/** @throws what the body throws, what the SDK throws, the signal's reason; nothing is left of the upload then */
export async function uploadObject(
  { sdk, client }: S3Connection,
  { ContentType, IfNoneMatch, IfMatch, ...object }: UploadTarget,
  body: AsyncIterable<Uint8Array | string>,
  signal: AbortSignal,
): Promise<void> {
  const kind = ContentType === undefined ? {} : { ContentType };
  const condition = {
    ...(IfNoneMatch !== undefined && { IfNoneMatch }),
    ...(IfMatch !== undefined && { IfMatch }),
  };
  const parts = partsOf(body);
  const first = await parts.next();
  const second = await parts.next();
  if (first.done === true || second.done === true) {
    const Body = first.done === true ? Buffer.alloc(0) : first.value.bytes;
    const put = new sdk.PutObjectCommand({ ...object, ...kind, ...condition, Body });
    await client.send(put, { abortSignal: signal });
    return;
  }
  const create = new sdk.CreateMultipartUploadCommand({ ...object, ...kind });
  const { UploadId } = await client.send(create, { abortSignal: signal });
  const upload = { ...object, UploadId };
  const sent: CompletedPart[] = [];
  const failing = new AbortController();
  const abortSignal = AbortSignal.any([signal, failing.signal]);
  // Who asks for the next one waits its turn.
  const all = resume([first.value, second.value], parts);
  const sendParts = async (): Promise<void> => {
    for (let next = await all.next(); next.done !== true; next = await all.next()) {
      const { number: PartNumber, bytes: Body } = next.value;
      const { ETag } = await client.send(new sdk.UploadPartCommand({ ...upload, PartNumber, Body }), {
        abortSignal,
      });
      sent.push({ PartNumber, ...(ETag !== undefined && { ETag }) });
    }
  };
  try {
    const senders = Array.from({ length: PARTS_AT_ONCE }, () =>
      sendParts().catch((error: unknown) => {
        failing.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(senders);
    await Promise.all(senders);
    sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const complete = { ...upload, ...condition, MultipartUpload: { Parts: sent } };
    await client.send(new sdk.CompleteMultipartUploadCommand(complete), { abortSignal: signal });
  } catch (error) {
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw failing.signal.aborted ? failing.signal.reason : error;
  }
}

interface Part {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

/** All of them of their full size but the last. */
async function* partsOf(body: AsyncIterable<Uint8Array | string>): AsyncGenerator<Part, void, void> {
  let number = 1;
  let held: Uint8Array[] = [];
  let room = partBytes(number);
  for await (const chunk of body) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    while (rest.length >= room) {
      yield { number, bytes: Buffer.concat([...held, rest.subarray(0, room)]) };
      rest = rest.subarray(room);
      held = [];
      number += 1;
      room = partBytes(number);
    }
    held.push(rest);
    room -= rest.length;
  }
  if (room < partBytes(number)) yield { number, bytes: Buffer.concat(held) };
}

async function* resume(taken: readonly Part[], rest: AsyncGenerator<Part>): AsyncGenerator<Part, void, void> {
  yield* taken;
  yield* rest;
}
