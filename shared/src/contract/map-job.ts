// The job of a mapper: one file of a source, a capture or a tarball of captures. Its answers are entries of the
// request's results stream: file maps, the last of them that of the file itself, and how far it is meanwhile.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  failureSchema,
  fileMapSchema,
  pathSchema,
  versionSchema,
  withinSchema,
} from '../dataset/file-map.ts';

export const MAP_JOB_VERSION = 2;
/** Attempts at a file whose reading fails for a reason that may pass. */
export const MAP_ATTEMPTS = 5;
/** First pause between attempts; it doubles each time, with jitter. */
export const MAP_BACKOFF_MS = 500;

export const mapJobSchema = z.strictObject({
  v: z.literal(MAP_JOB_VERSION),
  request: z.string().regex(/^[\w-]{1,64}$/),
  file: z.strictObject({
    path: pathSchema,
    name: pathSchema,
    size: z.int().nonnegative(),
    version: versionSchema,
    within: withinSchema.exactOptional(),
  }),
  task: z.discriminatedUnion('do', [
    /** Maps the file; `quick`: an estimate from both its ends will do. */
    z.strictObject({ do: z.literal('map'), quick: z.boolean() }),
    /** Maps the records that begin in a stretch of the file; the answer is the job's return value. */
    z.strictObject({ do: z.literal('part'), from: z.int().nonnegative(), to: z.int().positive() }),
    /** Joins what the part jobs below this one gave. */
    z.strictObject({ do: z.literal('join') }),
  ]),
});

export type MapTask = z.infer<typeof mapJobSchema>['task'];

export type MapJob = z.infer<typeof mapJobSchema>;

export const mapAnswerSchema = z.union([
  z.object({ job: z.string(), map: fileMapSchema }),
  /** The queue gives the job up. */
  z.object({ job: z.string(), givenUp: failureSchema }),
  /** Bytes read so far of the file, or of its part that begins at `part`. */
  z.object({ job: z.string(), part: z.int().nonnegative(), consumed: z.int().nonnegative() }),
]);

export type MapAnswer = z.infer<typeof mapAnswerSchema>;

/** The request that a job belongs to, or null where the id is none of ours. */
export function requestOfJob(id: string): string | null {
  return /^([\w-]{1,64})\.[0-9a-f]{32}$/.exec(id)?.[1] ?? null;
}

/** The same file of the same request has the same id, so that asking twice adds one job. */
export function mapJobId(request: string, path: string): string {
  return `${request}.${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
}
