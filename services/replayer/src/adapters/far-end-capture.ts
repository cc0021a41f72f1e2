// Captures a far end in a process of its own, into a temporary file.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '@capfleet/shared/errors/failure';
import type { CapturedFarEnd, FarEndCapture } from '../ports/far-end.ts';
import type { FromFarEndProcess, ToFarEndProcess } from './far-end-process.ts';

/**
 * Resolves when it is listening.
 * @param name of an Ethernet interface of this host
 * @throws Failure `far-end-failed`, `far-end-library`
 */
export async function captureFarEnd(name: string): Promise<FarEndCapture> {
  const dir = await mkdtemp(join(tmpdir(), 'capfleet-far-end-'));
  const path = join(dir, 'received.pcap');
  // Its own process group: Ctrl-C ends the replay first, which then ends this.
  const child = fork(new URL('./far-end-process.js', import.meta.url), [name, path], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
  });
  const gone = once(child, 'exit').catch(() => undefined);
  let onListening: () => void = () => undefined;
  const listening = new Promise<void>((resolve) => (onListening = resolve));
  const ended = new Promise<CapturedFarEnd>((resolve, reject) => {
    const fail = (reason: string): void => {
      reject(new Failure('far-end-failed', { interface: name, reason }));
    };
    child.on('message', (message: FromFarEndProcess) => {
      if (message.type === 'listening') onListening();
      else if (message.type === 'ended')
        resolve({ path, packets: message.packets, dropped: message.dropped });
      else if (message.library) reject(new Failure('far-end-library', { reason: message.reason }));
      else fail(message.reason);
    });
    child.on('error', (error) => {
      fail(error.message);
    });
    // Comes after all messages.
    child.on('disconnect', () => {
      fail('the capturing process ended');
    });
  });
  // It may fail while nobody waits for it; `stop` tells then.
  ended.catch(() => undefined);
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.kill('SIGKILL');
      await gone;
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await Promise.race([listening, ended]);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    interface: name,
    stop() {
      const stop: ToFarEndProcess = 'stop';
      if (child.connected) child.send(stop);
      return ended;
    },
    close,
  };
}
