// The AWS SDK and one client of it. The SDK is loaded when S3 is first used, so that nothing else pays for it. For
// reading, the client makes one attempt at everything: retries are ours (retry.ts), because a body that breaks is none
// of the SDK's business, and two layers of retries multiply.
import type * as S3Sdk from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { answerOf } from './s3-failure.ts';
import type { S3Options } from './s3-options.ts';

const REGION_WITHOUT_ANY = 'us-east-1';

export interface S3Connection {
  readonly sdk: typeof S3Sdk;
  readonly client: S3Client;
}

/** Is told of each attempt at a request: GetObject, say, and null, or by what it failed: its HTTP status, or the name of what broke. */
export type WatchS3 = (operation: string, failure: string | null) => void;

/** @param maxAttempts that the SDK makes at one request */
export async function connectS3(
  options: S3Options,
  maxAttempts = 1,
  watch: WatchS3 | null = null,
): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const agent = { keepAlive: true, maxSockets: options.maxSockets };
  const create = (region: string | null): S3Client =>
    new sdk.S3Client({
      ...(options.endpoint !== null && { endpoint: options.endpoint }),
      ...(options.profile !== null && { profile: options.profile }),
      ...(region !== null && { region }),
      forcePathStyle: options.pathStyle,
      followRegionRedirects: true,
      maxAttempts,
      // Servers other than AWS lack the newer checksums; an object is held against its ETag and its length.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { httpAgent: agent, httpsAgent: agent, socketTimeout: options.stallMs },
    });
  const client = create(options.region);
  // Other servers mostly do not care, and AWS redirects to where the bucket is.
  const hasRegion = await client.config.region().then(
    () => true,
    () => false,
  );
  const connected = hasRegion ? client : create(REGION_WITHOUT_ANY);
  if (watch) watchRequests(connected, watch);
  return { sdk, client: connected };
}

/** Inside of the SDK's own retries and redirects. */
function watchRequests(client: S3Client, watch: WatchS3): void {
  client.middlewareStack.add(
    (next, { commandName = 'unknown' }) =>
      async (args) => {
        const operation = commandName.replace(/Command$/, '');
        try {
          const answer = await next(args);
          watch(operation, null);
          return answer;
        } catch (error) {
          const { status, code } = answerOf(error);
          watch(operation, status === null ? code : String(status));
          throw error;
        }
      },
    { step: 'finalizeRequest', priority: 'low', name: 'capfleetWatch' },
  );
}

/**
 * Connects with the first call; all calls share the connection.
 * @param maxAttempts that the SDK makes at one request
 */
export function lazyS3(
  options: S3Options,
  maxAttempts = 1,
  watch: WatchS3 | null = null,
): () => Promise<S3Connection> {
  let connection: Promise<S3Connection> | undefined;
  return () => (connection ??= connectS3(options, maxAttempts, watch));
}
