// The time line of a set as a chart: a row per lane, below them how many wrote at once and packets over time. Pure.
import type { SetTimeline } from '@capfleet/shared/contract/api';
import type { EChartsCoreOption } from 'echarts/core';
import { duration, instant, shortCount } from '../format.ts';
import { axis, common, type Theme } from './theme.ts';

type Lane = SetTimeline['shown'][number];

const PACKETS_WANTED = 12;
const FEWEST_BUCKETS = 40;
const ROW = 22;
const STRIP = 90;
const GAP = 34;
const TOP = 8;

/** Buckets that follow one another in which a lane wrote, as stretches: from and to in buckets, and the share. */
export function stretches({
  writtenOver,
}: Pick<Lane, 'writtenOver'>): { from: number; to: number; share: number }[] {
  const found: { from: number; to: number; share: number }[] = [];
  writtenOver.forEach((share, bucket) => {
    if (share <= 0) return;
    const last = found.at(-1);
    if (last?.to === bucket && Math.abs(last.share - share) < 0.05) last.to = bucket + 1;
    else found.push({ from: bucket, to: bucket + 1, share });
  });
  return found;
}

/** Few packets in many buckets are a comb: so many are joined that it takes a dozen of each. */
export function joined(packets: readonly number[]): {
  readonly by: number;
  readonly packets: readonly number[];
} {
  const all = packets.reduce((sum, each) => sum + each, 0);
  const wanted = Math.min(
    packets.length / FEWEST_BUCKETS,
    (packets.length * PACKETS_WANTED) / Math.max(1, all),
  );
  const by =
    [...packets.keys()].findLast((each) => each > 0 && packets.length % each === 0 && each <= wanted) ?? 1;
  const sums = Array.from({ length: packets.length / by }, (_, index) =>
    packets.slice(index * by, (index + 1) * by).reduce((sum, each) => sum + each, 0),
  );
  return { by, packets: sums };
}

export function laneName({ lane }: Pick<Lane, 'lane'>, others = 0): string {
  return lane === null ? `${String(others)} more` : `lane ${String(lane)}`;
}

export function lanesOf({ shown, others }: SetTimeline): Lane[] {
  return others ? [...shown, others] : [...shown];
}

export function lanesHeight(timeline: SetTimeline): number {
  return TOP + lanesOf(timeline).length * ROW + 2 * (STRIP + GAP) + GAP;
}

export function lanesChart(timeline: SetTimeline, theme: Theme): EChartsCoreOption {
  const lanes = lanesOf(timeline);
  const begin = Date.parse(timeline.beginning ?? '');
  const at = (bucket: number): number => begin + (bucket * timeline.bucket) / 1e6;
  const buckets = timeline.packets.length;
  const rows = lanes.length * ROW;
  const perSecond = timeline.bucket > 1 ? 1e9 / timeline.bucket : 1;
  const rate = joined(timeline.packets);
  const names = lanes.map((lane) => laneName(lane, timeline.laneCount - timeline.shown.length));
  const time = (index: number, isLast: boolean): object => ({
    ...axis(theme),
    gridIndex: index,
    type: 'time',
    min: at(0),
    max: at(buckets),
    axisLabel: { color: theme.muted, hideOverlap: true, show: isLast },
    splitLine: { show: false },
  });
  const value = (index: number, name: string): object => ({
    ...axis(theme, name),
    gridIndex: index,
    type: 'value',
    nameGap: 44,
    splitNumber: 2,
    axisLabel: { color: theme.muted, formatter: shortCount },
  });
  const grid = (top: number, height: number): object => ({ left: 72, right: 14, top, height });
  const steps = (values: readonly number[], by: number): number[][] => [
    ...values.map((each, index) => [at(index * by), each]),
    [at(buckets), values.at(-1) ?? 0],
  ];
  const atOnce = timeline.packets.map((_, bucket) =>
    lanes.reduce((sum, { writtenOver }) => sum + (writtenOver[bucket] ?? 0), 0),
  );
  const strip = (name: string, index: number, values: readonly number[], by = 1): object => ({
    name,
    type: 'line',
    step: 'end',
    xAxisIndex: index,
    yAxisIndex: index,
    data: steps(values, by),
    showSymbol: false,
    lineStyle: { width: 1.2, color: theme.accent },
    itemStyle: { color: theme.accent },
    areaStyle: { color: theme.accent, opacity: 0.15 },
  });
  return {
    ...common(theme),
    grid: [grid(TOP, rows), grid(TOP + rows + GAP, STRIP), grid(TOP + rows + 2 * GAP + STRIP, STRIP)],
    xAxis: [time(0, false), time(1, false), time(2, true)],
    yAxis: [
      {
        ...axis(theme),
        gridIndex: 0,
        type: 'category',
        inverse: true,
        data: names,
        axisTick: { show: false },
        axisLabel: { color: theme.text, interval: 0 },
        splitArea: { show: true, areaStyle: { color: [theme.track, theme.surface] } },
      },
      { ...value(1, 'lanes at once'), minInterval: 1 },
      value(2, 'packets / s'),
    ],
    series: [
      {
        type: 'custom',
        xAxisIndex: 0,
        yAxisIndex: 0,
        clip: true,
        tooltip: { trigger: 'item', formatter: ({ name }: { name: string }) => name },
        encode: { x: [1, 2], y: 0 },
        data: lanes.flatMap((lane, index) =>
          stretches(lane).map(({ from, to, share }) => ({
            name: `${names[index] ?? ''}: ${instant(new Date(at(from)).toISOString())}, ${duration((to - from) * timeline.bucket)}`,
            value: [index, at(from), at(to), share],
          })),
        ),
        renderItem: (_: unknown, api: CustomApi) => {
          const [x = 0, y = 0] = api.coord([api.value(1), api.value(0)]);
          const [end = 0] = api.coord([api.value(2), api.value(0)]);
          return {
            type: 'rect',
            shape: { x, y: y - ROW / 2 + 4, width: Math.max(1.5, end - x), height: ROW - 8 },
            style: { fill: theme.accent, opacity: 0.35 + 0.65 * api.value(3) },
          };
        },
      },
      strip('lanes at once', 1, atOnce),
      strip(
        'packets per second',
        2,
        rate.packets.map((packets) => (packets * perSecond) / rate.by),
        rate.by,
      ),
    ],
  };
}

interface CustomApi {
  value(dimension: number): number;
  coord(point: readonly number[]): number[];
}
