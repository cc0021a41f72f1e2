// What one job says of its part of a split file; it travels through the queue to the job that joins the parts.
import { z } from 'zod';
import { count, tallyFields, warningSchema } from '../dataset/file-map.ts';

export const tallySchema = z.strictObject({ ...tallyFields, untimed: count });

/** Counts and instants of a run of packets. */
export type TallyRecord = z.infer<typeof tallySchema>;

export const partMapSchema = z
  .strictObject({
    /** Offset of the first record read: a guess but for the file's first record. */
    start: count,
    /** Offset of the first record behind those read: true where `start` is. */
    end: count,
    /** The capture breaks off at `end`. */
    broken: z.boolean(),
    tally: tallySchema,
    warnings: z.array(warningSchema),
  })
  .refine(({ start, end }) => start <= end, { error: 'a part ends before it starts' });

/** All records that begin from `start` up to `end`. */
export type PartMap = z.infer<typeof partMapSchema>;

/** A stretch of a file; its records are those that begin from `from` up to `to`. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** Cuts a file into stretches of `splitSize` bytes, the last one shorter. */
export function planParts(size: number, splitSize: number): Part[] {
  if (!(splitSize >= 1)) throw new RangeError(`parts of ${String(splitSize)} bytes`);
  return Array.from({ length: Math.ceil(size / splitSize) }, (_, index) => ({
    from: index * splitSize,
    to: Math.min(size, (index + 1) * splitSize),
  }));
}
