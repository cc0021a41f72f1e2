// A coordinator in a process of its own: `node one-run.ts REDIS RUN SENSORS MS` carries one run of simulated agents
// through, and prints how many sensors reported a whole play.
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { silentLogger } from '@capfleet/shared/log/logger';
import { simulatedRun } from '../../test/support/simulated-agents.ts';

/** The default of `capfleet replay`; a start that is further off is acknowledged later, when it is near. */
const LEAD = 1_000_000_000n;

const [redis = '', run = '', sensors = '1', playMs = '1000'] = process.argv.slice(2);
const world = redisRunWorld(redis, silentLogger());
const names = Array.from({ length: Number(sensors) }, (_, index) => `sensor-${index}`);
const report = await simulatedRun(world, run, names, Number(playMs), LEAD);
console.log(report.sensors.filter(({ result }) => result?.outcome === 'done').length);
process.exit();
