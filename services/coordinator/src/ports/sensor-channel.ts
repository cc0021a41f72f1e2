// The port to the sensors of one run.
import type {
  FromSensor,
  PrepareJob,
  Registration,
  ToSensors,
} from '@capfleet/shared/contract/agent-messages';
import type { Nanos } from '@capfleet/shared/time/nanos';

export interface SensorChannel {
  /** Who is registered now, by sensor name: of these sensors, or of all. */
  registrations(sensors?: readonly string[]): Promise<Map<string, Registration>>;
  prepare(sensor: string, job: PrepareJob): Promise<void>;
  /** To all sensors of the run. */
  say(run: string, message: ToSensors): Promise<void>;
  /** Words of the sensors about the run, from its beginning on; waits for a first, at most `waitMs` and a quarter of a second. */
  listen(run: string, waitMs: number): Promise<readonly FromSensor[]>;
  /** Now on the reference clock, ns since the epoch. */
  now(): Promise<Nanos>;
  close(): Promise<void>;
}
