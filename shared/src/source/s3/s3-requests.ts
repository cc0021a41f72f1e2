// Counts of requests to S3 by what was asked and what it failed by, as plain data that pass a thread's border.
import type { WatchS3 } from './s3-connection.ts';

/** Grows at its end; an entry keeps its place. */
export type S3Requests = readonly {
  readonly operation: string;
  /** As in WatchS3. */
  readonly failure: string | null;
  readonly count: number;
}[];

export function countS3Requests(): { readonly watch: WatchS3; readonly counts: () => S3Requests } {
  const kinds: { operation: string; failure: string | null; count: number }[] = [];
  return {
    watch(operation, failure) {
      const known = kinds.find((kind) => kind.operation === operation && kind.failure === failure);
      if (known) known.count += 1;
      else kinds.push({ operation, failure, count: 1 });
    },
    counts: () => kinds.map((kind) => ({ ...kind })),
  };
}
