// What mapping learns about one file. Instants are decimal strings of ns since the epoch, so that a map travels
// through queues and JSON without losing a digit.
import { z } from 'zod';
import { compressions } from '../capture/decompress.ts';
import { warningKinds } from '../capture/warning.ts';
import { errorTable, type ErrorCode } from '../errors/codes.ts';
import type { Failure, FailureRecord } from '../errors/failure.ts';
import type { SourceFile } from '../source/source.ts';

export const count = z.int().nonnegative();
const instant = z.string().regex(/^-?\d{1,25}$/);

export const failureSchema = z.object({
  code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  hint: z.string(),
});

export const pathSchema = z.string().min(1).max(4096);
export const versionSchema = z.string().min(1).max(256);
export const withinSchema = z.strictObject({ path: pathSchema, offset: count });

const identity = {
  /** Full name in the source. */
  path: z.string().min(1),
  /** Name below the mapped folder, `/` between its parts. */
  name: z.string(),
  /** Bytes of the file as it lies there. */
  fileSize: count,
  /** Modification time in ns, or ETag; null in a mapping by GopherCap, whose sizes are those of packets only. */
  version: versionSchema.nullable(),
  /** The file that this one is a stretch of, and where in it. */
  within: withinSchema.exactOptional(),
  /** The tarball that this one is a member of. */
  archive: pathSchema.exactOptional(),
};

export const warningSchema = z.object({
  kind: z.enum(warningKinds),
  count,
  offset: count,
  message: z.string(),
});

/** Counts and instants of a run of packets; those of a quick map are estimates. */
export const tallyFields = {
  packets: count,
  capturedBytes: count,
  wireBytes: count,
  /** Largest captured and wire length of a packet, bytes. */
  maxCaptured: count,
  maxWire: count,
  /** Packets with an earlier stamp than the packet before them in the file. */
  outOfOrder: count,
  /** Stamps of the first and last packet in file order, of the earliest and latest; null where no packet has one. */
  first: instant.nullable(),
  last: instant.nullable(),
  earliest: instant.nullable(),
  latest: instant.nullable(),
};

export const mappedFileSchema = z.object({
  ...identity,
  /** `partial`: cut off or damaged; everything before that is counted. */
  status: z.enum(['ok', 'partial']),
  /** Packets, bytes and maxima are estimates from both ends of the file (quick map); left out where they are not. */
  estimated: z.boolean().exactOptional(),
  format: z.enum(['pcap', 'pcapng']),
  compression: z.enum(compressions),
  byteOrder: z.enum(['little', 'big', 'mixed']),
  resolution: z.string().regex(/^(us|ns|mixed|(10|2)\^-\d{1,3})$/),
  snaplen: count,
  linkTypes: z.array(count),
  ...tallyFields,
  /** Packets without a stamp (pcapng's simple packets); left out where there are none. */
  untimed: count.exactOptional(),
  warnings: z.array(warningSchema),
});

export const failedFileSchema = z.object({
  ...identity,
  status: z.literal('failed'),
  error: failureSchema,
});

/** A tarball that was read to its end; its members have maps of their own. */
export const archiveSchema = z.object({
  ...identity,
  status: z.literal('archive'),
  /** Which members were asked for: another question needs the tarball again. */
  filter: z.string().exactOptional(),
  members: count,
});

export const fileMapSchema = z.discriminatedUnion('status', [
  mappedFileSchema,
  failedFileSchema,
  archiveSchema,
]);

export type MappedFile = z.infer<typeof mappedFileSchema>;
export type FailedFile = z.infer<typeof failedFileSchema>;
export type Archive = z.infer<typeof archiveSchema>;
export type FileMap = z.infer<typeof fileMapSchema>;

/** The map of a file that could not be mapped. */
export function failedFile(file: SourceFile, failure: Failure): FailedFile {
  return failedWith(file, failure.toRecord());
}

export function failedWith(file: SourceFile, error: FailureRecord): FailedFile {
  return {
    path: file.path,
    name: file.name,
    fileSize: file.size,
    version: file.version,
    ...(file.within && { within: file.within }),
    status: 'failed',
    error,
  };
}
