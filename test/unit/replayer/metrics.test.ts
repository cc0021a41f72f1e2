// What a replayer tells Prometheus of its clock: with the sign and the bound that everybody else tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayerMetrics } from '@capfleet/replayer/metrics';
import type { AgentSight } from '@capfleet/replayer/meters';
import { offsetText } from '../../../services/web/src/clock-words.ts';

test('the offset of the wall clock is above zero where that is behind, as the page says it', async () => {
  const clock = {
    offset: '1000000',
    bound: '30000',
    roundTrip: '60000',
    probes: 30,
    system: { offset: '996000', readBound: '500', synchronised: true, maxErrorUs: 250, taiOffset: 37 },
  };
  const sight: AgentSight = { run: null, registeredAgo: 0, interface: 'eth1', isUp: true, clock, play: null };
  const { registry, refresh } = replayerMetrics('one', () => sight);
  refresh();
  const text = await registry.metrics();
  const figure = (name: string): number =>
    Number(
      new RegExp(`^capfleet_replayer_clock_${name}_seconds\\{sensor="one"\\} (\\S+)$`, 'm').exec(text)?.[1],
    );
  assert.equal(figure('offset').toPrecision(6), '0.00000400000');
  assert.equal(figure('bound').toPrecision(6), '0.0000305000');
  assert.equal(offsetText({ clock }), '4 µs behind ± 30.5 µs');
});
