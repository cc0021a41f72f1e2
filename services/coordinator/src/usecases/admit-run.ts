// What a run waits for before it begins: sensors that are there, and that no other run has.
import { setTimeout as sleep } from 'node:timers/promises';
import { HEARTBEAT_MS, RUN_HOLD_MS, type Registration } from '@capfleet/shared/contract/agent-messages';
import type { RunRecord } from '@capfleet/shared/contract/run-record';
import { Failure } from '@capfleet/shared/errors/failure';
import { checkStartAhead } from '../domain/start-time.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import { wallClock, type RunWatch, type RunWorld } from './run-request.ts';

const REGISTRATION_PAUSE_MS = 100;
const BUSY_PAUSE_MS = 250;

/**
 * Waits until all sensors are registered, and takes the run and them: two runs never have one sensor.
 * @returns what they said of themselves last
 * @throws Failure `sensor-unknown`; `sensor-busy` where another run has one and its end is not waited for; `run-taken`;
 * `start-past` where the start that was asked for has passed meanwhile
 */
export async function gather(
  world: RunWorld,
  record: RunRecord,
  watch: Pick<RunWatch, 'interrupted'>,
): Promise<Map<string, Registration>> {
  await waitForSensors(world.channel, record, watch);
  await holdSensors(world, record, watch);
  const startAt = record.startAt === null ? null : BigInt(record.startAt);
  checkStartAhead({ startAt, clock: record.clock }, await world.channel.now(), wallClock());
  return world.channel.registrations(record.sensors);
}

async function holdSensors(
  { channel, store }: RunWorld,
  { run, whenBusy, sensors }: RunRecord,
  { interrupted }: Pick<RunWatch, 'interrupted'>,
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

async function waitForSensors(
  channel: SensorChannel,
  { sensors, sensorTimeoutMs }: RunRecord,
  { interrupted }: Pick<RunWatch, 'interrupted'>,
): Promise<void> {
  const deadline = performance.now() + sensorTimeoutMs;
  for (;;) {
    interrupted.throwIfAborted();
    const registered = await channel.registrations(sensors);
    const missing = sensors.find((sensor) => !registered.has(sensor));
    if (missing === undefined) return;
    if (performance.now() > deadline) {
      const known = [...(await channel.registrations()).keys()].sort().join(', ');
      throw new Failure('sensor-unknown', { sensor: missing, known: known === '' ? 'none' : known });
    }
    await sleep(REGISTRATION_PAUSE_MS);
  }
}
