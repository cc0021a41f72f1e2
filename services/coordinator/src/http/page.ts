// The live page: static files at `/`, and the headers that all answers have. Without the files the API is served alone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const nothing = ["'none'"];
const own = ["'self'"];

export async function protectAnswers(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: nothing,
        scriptSrc: own,
        styleSrc: own,
        // What a chart is saved as.
        imgSrc: [...own, 'data:', 'blob:'],
        connectSrc: own,
        baseUri: nothing,
        formAction: own,
        frameAncestors: nothing,
      },
    },
    // TLS is the proxy's, and so is what is said of it.
    strictTransportSecurity: false,
  });
}

/** @param root folder of the page's files; null, or one without a page: it is not served */
export async function servePage(app: FastifyInstance, root: string | null): Promise<void> {
  if (root === null || !existsSync(join(root, 'index.html'))) return;
  await app.register(fastifyStatic, {
    root,
    // A route for each file: what there is not is answered as any unknown path is.
    wildcard: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      // Names of assets change with their content.
      const isKept = path.includes('/assets/');
      reply.header('cache-control', isKept ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
