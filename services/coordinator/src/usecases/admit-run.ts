// What a run waits for before it begins: sensors that are there, and that no other run has.
import { setTimeout as sleep } from 'node:timers/promises';
import { HEARTBEAT_MS, RUN_HOLD_MS, type Registration } from '@capfleet/shared/contract/agent-messages';
import { Failure } from '@capfleet/shared/errors/failure';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import type { RunRequest, RunWorld } from './run-request.ts';

const REGISTRATION_PAUSE_MS = 100;
const BUSY_PAUSE_MS = 250;

/**
 * Takes the run and its sensors: two runs never have one sensor.
 * @throws Failure `sensor-busy` where another has one and its end is not waited for; `run-taken`
 */
export async function holdSensors(
  { channel, store }: RunWorld,
  { run, whenBusy, interrupted }: Pick<RunRequest, 'run' | 'whenBusy' | 'interrupted'>,
  sensors: readonly string[],
): Promise<void> {
  // A registration may be a heartbeat old, and a hold that of a coordinator that is gone.
  const upToDate = performance.now() + RUN_HOLD_MS + HEARTBEAT_MS;
  for (;;) {
    interrupted.throwIfAborted();
    const busy = await busySensor({ channel, store }, run, sensors);
    if (busy === null) return;
    const { isSure, ...fields } = busy;
    if (whenBusy === 'refuse' && (isSure || performance.now() > upToDate))
      throw new Failure('sensor-busy', fields);
    await sleep(BUSY_PAUSE_MS);
  }
}

async function busySensor(
  { channel, store }: RunWorld,
  run: string,
  sensors: readonly string[],
): Promise<{ sensor: string; run: string; isSure: boolean } | null> {
  const hold = await store.hold(run, sensors);
  if (!hold.held) {
    if (hold.by === 'run') {
      const { busyWith = null } = (await channel.registrations([hold.sensor])).get(hold.sensor) ?? {};
      return { sensor: hold.sensor, run: hold.run, isSure: busyWith === hold.run };
    }
    throw new Failure('run-taken', { run });
  }
  // A run whose coordinator is gone has no hold, and its sensors may still play.
  const registered = await channel.registrations(sensors);
  for (const sensor of sensors) {
    const other = registered.get(sensor)?.busyWith ?? null;
    if (other === null || other === run) continue;
    await store.release(run, sensors);
    return { sensor, run: other, isSure: false };
  }
  return null;
}

/**
 * Waits until all are registered, and gives what they said then.
 * @throws Failure `sensor-unknown`
 */
export async function waitForSensors(
  channel: SensorChannel,
  sensors: readonly string[],
  request: Pick<RunRequest, 'sensorTimeoutMs' | 'interrupted'>,
): Promise<Map<string, Registration>> {
  const deadline = performance.now() + request.sensorTimeoutMs;
  for (;;) {
    request.interrupted.throwIfAborted();
    const registered = await channel.registrations(sensors);
    const missing = sensors.find((sensor) => !registered.has(sensor));
    if (missing === undefined) return registered;
    if (performance.now() > deadline) {
      const known = [...(await channel.registrations()).keys()].sort().join(', ');
      throw new Failure('sensor-unknown', { sensor: missing, known: known === '' ? 'none' : known });
    }
    await sleep(REGISTRATION_PAUSE_MS);
  }
}
