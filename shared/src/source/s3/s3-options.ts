// How S3 is reached and how hard it is read, as plain data: it travels to child processes as arguments and to worker
// threads as it is. What stays `null` is found by the AWS SDK the way it always does (environment, profile files).
import type { RetryPolicy } from '../retry.ts';

export interface S3Options {
  /** URL of a server other than AWS. */
  readonly endpoint: string | null;
  readonly region: string | null;
  /** Profile of the shared configuration and credentials files. */
  readonly profile: string | null;
  /** The bucket in the URL's path rather than in its host name. */
  readonly pathStyle: boolean;
  /** Bytes of one ranged GET; an object up to this size costs one. */
  readonly partSize: number;
  /** GETs under way for one open file. `partSize * parallel` bounds the memory that it takes. */
  readonly parallel: number;
  /** Connections of this process to S3; what needs more waits for one. */
  readonly maxSockets: number;
  /** Without a byte for this long, an attempt is given up and made again; ms. */
  readonly stallMs: number;
  /** Attempts in a row that may bring nothing. */
  readonly attempts: number;
}

export const defaultS3Options: S3Options = {
  endpoint: null,
  region: null,
  profile: null,
  pathStyle: false,
  partSize: 8 * 1024 * 1024,
  parallel: 4,
  maxSockets: 256,
  stallMs: 20_000,
  attempts: 6,
};

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

export function retryPolicy({ attempts }: S3Options): RetryPolicy {
  return { attempts, firstPauseMs: FIRST_PAUSE_MS, longestPauseMs: LONGEST_PAUSE_MS };
}
