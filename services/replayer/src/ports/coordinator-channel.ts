// The port to the coordinator: a sensor's registration, its plans, the words of a run both ways.
import type {
  FromSensor,
  PrepareJob,
  Registration,
  ToSensors,
} from '@capfleet/shared/contract/agent-messages';

export interface CoordinatorChannel {
  /**
   * Announces the sensor, renewed by calling it again; expires when that stops.
   * @throws Failure `sensor-taken` where another instance holds the name
   */
  register(registration: Registration): Promise<void>;
  /** Takes plans from the sensor's queue from now on. Plans that do not fit their schema are logged and refused. */
  onPlan(listener: (job: PrepareJob) => void): Promise<void>;
  /**
   * True where this instance is the one that may play the sensor's share of the run, now or as before; false where
   * another has the sensor's name, or has claimed the run in the same attempt of the coordinator or in a later one.
   */
  claim(run: string, epoch: number): Promise<boolean>;
  /** How long ago a coordinator of the run was there, ms; null: too long to be known. */
  attendedAgo(run: string): Promise<number | null>;
  say(run: string, message: FromSensor): Promise<void>;
  /** Words of the coordinator about a run from its beginning on, until `follow` is called again or closed. */
  follow(run: string, listener: (message: ToSensors) => void): void;
  close(): Promise<void>;
}
