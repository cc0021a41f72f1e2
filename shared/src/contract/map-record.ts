// What is kept of a mapping that a coordinator was asked for: what is mapped into which set, and how far it is.
import { z } from 'zod';
import { failureSchema } from '../dataset/file-map.ts';

const count = z.int().nonnegative();
export const mapIdSchema = z.string().regex(/^[\w-]{1,64}$/);

export const mapRecordSchema = z.object({
  v: z.literal(1),
  map: mapIdSchema,
  /** The set that it becomes. */
  set: z.string(),
  /** A folder, a file, or `s3://…`. */
  source: z.string(),
  suffix: z.string(),
  pattern: z.string().nullable(),
  quick: z.boolean(),
  splitSize: z.int().positive().nullable(),
  workerTimeoutMs: count,
  /** RFC 3339. */
  created: z.string(),
});

export const mapStateSchema = z.object({
  state: z.enum(['waiting', 'mapping', 'done', 'failed', 'stopped']),
  /** Null before it has begun; files and bytes grow while the source is still listed. */
  progress: z
    .object({ listed: z.boolean(), files: count, filesDone: count, bytes: count, bytesDone: count })
    .nullable(),
  /** Once it is done: files that could not be read; the mapping of the set names them. */
  filesFailed: count.nullable(),
  error: failureSchema.nullable(),
});

export const waitingMap: MapState = { state: 'waiting', progress: null, filesFailed: null, error: null };

export type MapRecord = z.infer<typeof mapRecordSchema>;
export type MapState = z.infer<typeof mapStateSchema>;

export function isMapOver({ state }: MapState): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped';
}
