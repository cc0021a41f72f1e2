// The job of a mapper: one capture file. Its answer is a file map, put on the results stream of the request.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { versionSchema, withinSchema } from '../dataset/file-map.ts';

export const MAP_JOB_VERSION = 1;
/** Attempts at a file whose reading fails for a reason that may pass. */
export const MAP_ATTEMPTS = 5;
/** First pause between attempts; it doubles each time, with jitter. */
export const MAP_BACKOFF_MS = 500;

export const mapJobSchema = z.strictObject({
  v: z.literal(MAP_JOB_VERSION),
  request: z.string().regex(/^[\w-]{1,64}$/),
  file: z.strictObject({
    path: z.string().min(1).max(4096),
    name: z.string().min(1).max(4096),
    size: z.int().nonnegative(),
    version: versionSchema,
    within: withinSchema.exactOptional(),
  }),
});

export type MapJob = z.infer<typeof mapJobSchema>;

/** The same file of the same request has the same id, so that asking twice adds one job. */
export function mapJobId(request: string, path: string): string {
  return `${request}.${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
}
