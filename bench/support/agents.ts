// So many simulated agents in a process of their own: `node agents.ts REDIS FIRST COUNT` says when all are ready, and
// stays until its standard input ends.
import { once } from 'node:events';
import { startSimulatedAgents } from '../../test/support/simulated-agents.ts';

const [redis = '', first = '0', count = '1'] = process.argv.slice(2);
const sensors = Array.from({ length: Number(count) }, (_, index) => `sensor-${Number(first) + index}`);
const agents = await startSimulatedAgents(redis, sensors);
console.log('ready');
process.stdin.resume();
await once(process.stdin, 'end');
await Promise.race([agents.close(), new Promise((resolve) => setTimeout(resolve, 5000))]);
process.exit();
