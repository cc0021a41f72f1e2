// Asks Redis for its time, in a thread that does nothing else, so that nothing delays the stamps around an answer.
import { parentPort, workerData } from 'node:worker_threads';
import { reasonOf } from '@capfleet/shared/errors/failure';
import { silentLogger } from '@capfleet/shared/log/logger';
import { trustAsParent } from '@capfleet/shared/config/trusted-cas';
import { connect } from '@capfleet/shared/redis/connect';
import { askTime, instantOf } from '@capfleet/shared/redis/keyless';
import { estimateOffset, type ClockOffset, type ClockProbe } from '@capfleet/shared/time/clock-offset';
import { MICROSECOND } from '@capfleet/shared/time/nanos';

export interface ClockQuestion {
  readonly id: number;
  readonly probes: number;
}

export type ClockAnswer =
  { readonly id: number; readonly measured: ClockOffset } | { readonly id: number; readonly error: string };

trustAsParent();
const client = connect(workerData as string, 'clock', silentLogger());

parentPort?.on('message', ({ id, probes }: ClockQuestion) => {
  measure(probes).then(
    (measured) => {
      answer({ id, measured });
    },
    (thrown: unknown) => {
      answer({ id, error: reasonOf(thrown) });
    },
  );
});

function answer(message: ClockAnswer): void {
  parentPort?.postMessage(message);
}

/** `process.hrtime` is CLOCK_MONOTONIC on Linux, the clock that the pacer runs on. */
async function measure(count: number): Promise<ClockOffset> {
  const probes: ClockProbe[] = [];
  // The first pays for the connection.
  await askTime(client);
  while (probes.length < count) {
    const sent = process.hrtime.bigint();
    const time = await askTime(client);
    const received = process.hrtime.bigint();
    probes.push({ sent, received, reference: instantOf(time) });
  }
  return estimateOffset(probes, MICROSECOND);
}
