// Requests for what there is not: a path that is unknown, or known with other methods only.
import type { FastifyInstance } from 'fastify';
import { Failure } from '@capfleet/shared/errors/failure';

/** To be called before any route is added. */
export function refuseUnknown(app: Pick<FastifyInstance, 'addHook' | 'setNotFoundHandler'>): void {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(
      `^${url.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll(/:\w+/g, '[^/]+')}$`,
    );
    for (const each of [method].flat()) routes.push({ pattern, method: each });
  });
  app.setNotFoundHandler(({ method, url }, reply) => {
    const [path = ''] = url.split('?');
    const known = routes.filter(({ pattern }) => pattern.test(path)).map((route) => route.method);
    if (known.length === 0) throw new Failure('route-unknown', { path });
    reply.header('allow', known.join(', '));
    throw new Failure('method-unknown', { method, path, known: known.join(', ') });
  });
}
