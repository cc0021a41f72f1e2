/**
 * An HTTP server in front of another one that passes everything on, and spoils what a test wants spoilt: it answers by
 * itself, cuts a body off, holds it back, lets it trickle, or says a wrong length. It counts what came.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AfterHook } from './temp-dir.ts';

export type Fault =
  /** An answer in S3's words, instead of asking the server. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** The connection is reset before there is an answer. */
  | { readonly kind: 'hang-up' }
  /** The connection is reset after so many bytes of the body. */
  | { readonly kind: 'reset'; readonly after: number }
  /** After so many bytes of the body nothing comes for a while. */
  | { readonly kind: 'stall'; readonly after: number; readonly ms: number }
  /** The body comes in small pieces with pauses in between. */
  | { readonly kind: 'trickle'; readonly bytes: number; readonly ms: number }
  /** The body is shorter than the object's part, and the head says so. */
  | { readonly kind: 'shorter'; readonly by: number }
  /** Something is done once before the request is passed on. */
  | { readonly kind: 'meanwhile'; readonly work: () => Promise<void> };

export interface Passing {
  readonly method: string;
  readonly url: string;
  readonly range: string | null;
  /** Of this method, from 0. */
  readonly index: number;
}

export interface FaultProxy {
  readonly url: string;
  /** Requests so far, in order. */
  readonly passed: readonly Passing[];
  /** Decides from now on what happens to a request. */
  spoil(decide: (passing: Passing) => Fault | null): void;
}

export async function startFaultProxy(t: AfterHook, target: string): Promise<FaultProxy> {
  const passed: Passing[] = [];
  let decide: (passing: Passing) => Fault | null = () => null;
  const over = new AbortController();
  const server = createServer((asked, answer) => {
    const { method = '', url = '' } = asked;
    const index = passed.filter((before) => before.method === method).length;
    const passing = { method, url, range: asked.headers.range ?? null, index };
    passed.push(passing);
    passOn(asked, answer, target, decide(passing), over.signal).catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    over.abort();
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    passed,
    spoil: (rule) => (decide = rule),
  };
}

async function passOn(
  asked: IncomingMessage,
  answer: ServerResponse,
  target: string,
  fault: Fault | null,
  over: AbortSignal,
): Promise<void> {
  if (fault?.kind === 'answer') {
    asked.resume();
    answer.writeHead(fault.status, { 'content-type': 'application/xml' });
    answer.end(
      `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>as asked for</Message></Error>`,
    );
    return;
  }
  if (fault?.kind === 'hang-up') {
    asked.socket.resetAndDestroy();
    return;
  }
  if (fault?.kind === 'meanwhile') await fault.work();
  // The signature is over the head as it came, the host's name included.
  const { hostname, port } = new URL(target);
  const onward = request({ hostname, port, method: asked.method, path: asked.url, headers: asked.headers });
  asked.pipe(onward);
  answer.on('close', () => onward.destroy());
  const [told] = (await once(onward, 'response')) as [IncomingMessage];
  const headers = { ...told.headers };
  const length = Number(headers['content-length'] ?? 0);
  const most = fault?.kind === 'shorter' ? Math.max(0, length - fault.by) : Number.POSITIVE_INFINITY;
  if (fault?.kind === 'shorter') headers['content-length'] = String(most);
  answer.writeHead(told.statusCode ?? 500, headers);
  await sendBody(told, answer, fault, most, over);
  answer.end();
}

async function sendBody(
  told: IncomingMessage,
  answer: ServerResponse,
  fault: Fault | null,
  most: number,
  over: AbortSignal,
): Promise<void> {
  let sent = 0;
  let held = false;
  const send = async (bytes: Buffer): Promise<void> => {
    sent += bytes.length;
    if (!answer.write(bytes)) await Promise.race([once(answer, 'drain'), once(answer, 'close')]);
  };
  for await (const chunk of told as AsyncIterable<Buffer>) {
    let rest = chunk.subarray(0, Math.max(0, most - sent));
    if (fault?.kind === 'reset' && sent + rest.length >= fault.after) {
      await send(rest.subarray(0, fault.after - sent));
      // What was sent goes out before the reset.
      await sleep(20, undefined, { signal: over });
      answer.socket?.resetAndDestroy();
      return;
    }
    if (fault?.kind === 'stall' && !held && sent + rest.length > fault.after) {
      held = true;
      const before = fault.after - sent;
      await send(rest.subarray(0, before));
      await sleep(fault.ms, undefined, { signal: over });
      rest = rest.subarray(before);
    }
    while (fault?.kind === 'trickle' && rest.length > fault.bytes) {
      await send(rest.subarray(0, fault.bytes));
      await sleep(fault.ms, undefined, { signal: over });
      rest = rest.subarray(fault.bytes);
    }
    if (rest.length > 0) await send(rest);
  }
}
