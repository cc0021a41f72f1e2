// The plots of a verification as documents: whole, self-contained, the same each time, with every point of the series.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drawPlots } from '@capfleet/cli/show/plots';
import { seriesOf, type Series } from '@capfleet/shared/verify/series';
import { errorsOf } from '@capfleet/shared/verify/timing';

const planned = Float64Array.from({ length: 5000 }, (_, index) => index * 1_000_000);
const received = planned.map((at, index) => at + ((index * 7919) % 1000) * 37);
const series = seriesOf(planned, 0, planned, errorsOf(planned, received));

/** Checks that every element is closed in its order; returns the names of all. */
function elementsOf(svg: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const rest = svg.replace(/<!\[CDATA\[.*?\]\]>/gs, '');
  for (const [, closing, name = '', alone] of rest.matchAll(
    /<(\/?)([a-z][\w:-]*)(?:[^<>"]|"[^"<]*")*?(\/?)>/gi,
  )) {
    if (closing === '/') assert.equal(open.pop(), name);
    else {
      names.push(name);
      if (alone !== '/') open.push(name);
    }
  }
  assert.deepEqual(open, []);
  // Nothing is left but text without a bare < or &.
  assert.doesNotMatch(
    rest.replace(/<(\/?)([a-z][\w:-]*)(?:[^<>"]|"[^"<]*")*?(\/?)>/gi, ''),
    /<|&(?!\w+;|#\d+;)/,
  );
  return names;
}

/** Points of the longest path, which is a series, as its commands. */
function longestPath(svg: string): number {
  const paths = [...svg.matchAll(/<path d="([^"]*)"/g)].map(
    ([, d = '']) => (d.match(/[\d.]+[ ,]-?[\d.]+/g) ?? []).length,
  );
  return Math.max(...paths);
}

async function draw(of: Series | null, name = 'set.json'): Promise<Record<string, string>> {
  return drawPlots(name, of);
}

describe('the plots', () => {
  test('are whole, and need nothing from elsewhere', async () => {
    for (const [file, svg] of Object.entries(await draw(series))) {
      const names = elementsOf(svg);
      assert.equal(names[0], 'svg', file);
      for (const forbidden of ['script', 'image', 'foreignObject', 'use', 'a'])
        assert.ok(!names.includes(forbidden), `${file}: ${forbidden}`);
      assert.doesNotMatch(svg, /href=|@import|url\((?!#)|\son\w+=/, file);
      const links = [...svg.matchAll(/https?:[^"\s]*/g)].map(([link]) => link);
      assert.deepEqual(
        links.filter((link) => !link.startsWith('http://www.w3.org/')),
        [],
      );
    }
  });

  test('are the same each time', async () => {
    assert.deepEqual(await draw(series), await draw(series));
  });

  test('show every point of the series', async () => {
    const plots = await draw(series);
    assert.equal(series.deviation.length, 600);
    assert.equal(longestPath(plots['deviation.svg'] ?? ''), 2 * series.deviation.length);
    const bars = [...(plots['gap-error.svg'] ?? '').matchAll(/<path d="[^"]*Z" fill="#1f6feb"/g)];
    assert.equal(bars.length, series.gaps.filter(({ count }) => count > 0).length);
    // A step has up to two points for each stretch of time.
    const buckets = series.rates?.planned.length ?? 0;
    assert.ok(buckets > 100 && longestPath(plots['packet-rate.svg'] ?? '') >= buckets);
  });

  test('name the set and the units', async () => {
    const plots = await draw(series, '/data/<exercise> & more.json');
    for (const svg of Object.values(plots)) {
      elementsOf(svg);
      assert.match(svg, /&lt;exercise&gt; &amp; more\.json: /);
    }
    assert.match(plots['deviation.svg'] ?? '', /deviation, µs</);
    assert.match(plots['deviation.svg'] ?? '', /time since the first packet, s</);
    assert.match(plots['gap-error.svg'] ?? '', />\d+(\.\d)? µs</);
    assert.match(plots['packet-rate.svg'] ?? '', /packets per second</);
    assert.match(
      (await draw(series, `/${'long/'.repeat(40)}end.json`))['deviation.svg'] ?? '',
      />….*end\.json: /,
    );
  });

  test('say so where there is nothing to draw', async () => {
    for (const svg of Object.values(await draw(null))) {
      elementsOf(svg);
      assert.match(svg, /too few packets arrived/);
    }
  });
});
