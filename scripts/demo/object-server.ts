/**
 * An HTTP server on port 80 and an HTTPS server on port 443 of one address; `/objects/BYTES` gives an object of
 * that size, at a pace that two cores can replay with ease. Arguments: address, key file, certificate file.
 * Writes "ready" when both listen; runs until it is killed.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const [address = '', keyFile = '', certificateFile = ''] = process.argv.slice(2);
const LARGEST = 5_000_000;
/** 24 KiB every 4 ms are 6 MB/s for each connection. */
const CHUNK = 24 * 1024;
const EVERY_MS = 4;

const lines = Array.from(
  { length: 4000 },
  (_, i) => `<li>object line ${i} ${(i * 2_654_435_761) % 1_000_003}</li>`,
);
const content = Buffer.from(lines.join('\n'));

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const size = Number(/^\/objects\/(\d+)$/.exec(request.url ?? '')?.[1] ?? NaN);
  if (!(size <= LARGEST)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html', 'content-length': size, connection: 'close' });
  for (let sent = 0; sent < size && !response.destroyed;) {
    const from = sent % (content.length - CHUNK);
    const chunk = content.subarray(from, from + Math.min(CHUNK, size - sent));
    response.write(chunk);
    sent += chunk.length;
    if (sent < size) await sleep(EVERY_MS);
  }
  response.end();
}

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  serve(request, response).catch((error: unknown) => response.destroy(error as Error));
};
const plain = createServer(answer);
const secure = createTlsServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, answer);
plain.listen(80, address, () => {
  secure.listen(443, address, () => process.stdout.write('ready\n'));
});
