// The sensors that are registered now, by name.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import type { SensorChannel } from '../ports/sensor-channel.ts';

export async function listSensors(channel: Pick<SensorChannel, 'registrations'>): Promise<Registration[]> {
  const registered = await channel.registrations();
  return [...registered.values()].sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
}
