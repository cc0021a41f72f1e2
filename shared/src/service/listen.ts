// Where a service listens. A port that is taken, or none of this host's addresses, is told in the words of the setting.
import type { FastifyInstance } from 'fastify';
import { Failure, reasonOf } from '../errors/failure.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/**
 * @param setting whose address it is: `--listen`
 * @returns the URL of what is served
 * @throws Failure `listen-failed`
 */
export function listenOn(
  app: Pick<FastifyInstance, 'listen'>,
  { host, port }: ListenAddress,
  setting: string,
): Promise<string> {
  return app.listen({ host, port }).catch((error: unknown) => {
    const fields = { address: `${host}:${String(port)}`, reason: reasonOf(error), setting };
    throw new Failure('listen-failed', fields, { cause: error });
  });
}
