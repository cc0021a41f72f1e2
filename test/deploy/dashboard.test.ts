// Grafana's dashboard: what it asks is grouped by labels that there are, in Kubernetes and outside of it, and its panels lie
// beside one another.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHART } from '../support/deploy/helm.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')) as {
  panels: readonly Panel[];
};
const targets = panels.flatMap(({ title, targets: some = [] }) =>
  some.map((target) => ({ title, ...target })),
);

const groupsOf = (expr: string): string[] =>
  [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));

test('replayers are told apart by their sensors, and whatever else by more than its pod', () => {
  const grouped = targets.filter(({ expr }) => /sensor|pod|instance/.test(groupsOf(expr).join()));
  assert.ok(grouped.length >= 10);
  for (const { title, expr, legendFormat } of grouped) {
    const groups = groupsOf(expr);
    if (expr.includes('capfleet_replayer_')) assert.ok(!/pod|instance/.test(groups.join()), title);
    else if (groups.includes('pod')) assert.ok(groups.includes('instance'), title);
    for (const label of groups.filter((name) => name !== 'le'))
      assert.ok(legendFormat === '' || legendFormat.includes(`{{${label}}}`), title);
  }
  for (const title of ['Packets sent', 'Bytes sent', 'Lateness by sensor, 99 %', 'Clock bound of replayers'])
    assert.ok(groupsOf(targets.find((one) => one.title === title)?.expr ?? '').includes('sensor'), title);
});

test('jobs that failed are none of those that there are to do', () => {
  const all = targets.filter(({ expr }) => expr.includes('capfleet_map_jobs'));
  assert.ok(all.length >= 2);
  for (const { title, expr } of all) assert.match(expr, /state(="waiting"|!="failed")/, title);
});

test('panels have numbers and places of their own', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = gridPos;
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++)
      for (let line = y; line < y + h; line++) {
        const place = `${String(column)}/${String(line)}`;
        assert.equal(taken.get(place), undefined, `${title} at ${place}`);
        taken.set(place, title);
      }
  }
});
