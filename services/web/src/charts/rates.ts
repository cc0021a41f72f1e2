// Planned against actual rate of a run, and lateness, as charts. Pure.
import type { RunCourse } from '@capfleet/shared/contract/api';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { EChartsCoreOption } from 'echarts/core';
import { duration, shortCount, unitFor } from '../format.ts';
import { axis, common, type Theme } from './theme.ts';

export interface Rates {
  /** Width of a bucket, ns. */
  readonly bucket: number;
  /** Packets per second; null where there is no plan of it. */
  readonly planned: readonly number[] | null;
  /** As far as it is known. */
  readonly actual: readonly number[];
}

const FEWEST = 8;
const WITHOUT_PLAN = 120;
const SILENT_NS = 3e9;

/**
 * Both in the same buckets, none of them finer than what sensors tell.
 * @param sensors those that are summed up
 * @param isOver else the latest of what was sent is not known of all sensors yet
 */
export function ratesOf(
  { planned, sensors: course }: RunCourse,
  sensors: readonly string[],
  isOver: boolean,
): Rates {
  const own = course.filter(({ sensor, points }) => sensors.includes(sensor) && points.length > 0);
  const reached = isOver ? Math.max(0, ...lasts(own)) : reachedByAll(own);
  const steps = own.flatMap(({ points }) =>
    points.slice(1).map(([at], index) => at - (points[index]?.[0] ?? 0)),
  );
  const spacing = Math.max(1e8, median(steps));
  const plans = planned?.sensors.filter(({ sensor }) => sensors.includes(sensor)) ?? [];
  const fine = plans[0]?.packetsOver.length ?? 0;
  if (!planned || fine === 0) {
    const buckets = Math.min(WITHOUT_PLAN, Math.max(FEWEST, Math.floor(reached / spacing)));
    const bucket = Math.max(1, reached / buckets);
    return { bucket, planned: null, actual: actualOver(own, bucket, buckets, reached, isOver) };
  }
  const by = Math.max(1, Math.min(Math.floor(fine / FEWEST), Math.ceil(spacing / planned.bucket)));
  const bucket = planned.bucket * by;
  const buckets = Math.ceil(fine / by);
  const rate = Array.from({ length: buckets }, (_, index) => {
    const own = plans.flatMap(({ packetsOver }) => packetsOver.slice(index * by, (index + 1) * by));
    const covered = Math.min(by, fine - index * by) * planned.bucket;
    return (own.reduce((sum, packets) => sum + packets, 0) / covered) * 1e9;
  });
  return { bucket, planned: rate, actual: actualOver(own, bucket, buckets, reached, isOver) };
}

function actualOver(
  course: RunCourse['sensors'],
  bucket: number,
  buckets: number,
  reached: number,
  isOver: boolean,
): number[] {
  const whole = reached / bucket;
  const known = Math.min(buckets, isOver ? Math.ceil(whole - 1e-6) : Math.floor(whole));
  return Array.from({ length: known }, (_, index) => {
    const [from, to] = [index * bucket, Math.min((index + 1) * bucket, reached)];
    const packets = course.reduce((sum, { points }) => sum + sentBy(points, to) - sentBy(points, from), 0);
    return to > from ? (packets / (to - from)) * 1e9 : 0;
  });
}

function lasts(course: RunCourse['sensors']): number[] {
  return course.map(({ points }) => points.at(-1)?.[0] ?? 0);
}

/** Of those that are heard of: who is done, or lost, holds nobody up. */
function reachedByAll(course: RunCourse['sensors']): number {
  const ends = lasts(course);
  const furthest = Math.max(0, ...ends);
  return Math.min(...ends.filter((end) => end >= furthest - SILENT_NS), furthest);
}

/** Packets that were out at a place of the timeline, between two points along the line that joins them. */
function sentBy(points: RunCourse['sensors'][number]['points'], place: number): number {
  let before: readonly [number, number] = [0, 0];
  for (const point of points) {
    if (point[0] >= place) {
      const share = point[0] > before[0] ? (place - before[0]) / (point[0] - before[0]) : 1;
      return before[1] + share * (point[1] - before[1]);
    }
    before = point;
  }
  return before[1];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

export function rateChart({ bucket, planned, actual }: Rates, theme: Theme): EChartsCoreOption {
  const unit = unitFor(bucket * Math.max(planned?.length ?? 0, actual.length));
  const points = (rates: readonly number[]): number[][] =>
    rates.length === 0
      ? []
      : [
          ...rates.map((rate, index) => [(index * bucket) / unit.ns, rate]),
          [(rates.length * bucket) / unit.ns, rates.at(-1) ?? 0],
        ];
  return {
    ...common(theme),
    legend: { top: 0, right: 0, textStyle: { color: theme.text }, icon: 'rect' },
    grid: { left: 64, right: 16, top: 34, bottom: 46 },
    xAxis: {
      ...axis(theme, `after the start, ${unit.name}`),
      type: 'value',
      nameGap: 28,
      min: 0,
      max: 'dataMax',
      axisLabel: {
        color: theme.muted,
        hideOverlap: true,
        formatter: (value: number) => String(Number(value.toPrecision(4))),
      },
    },
    yAxis: {
      ...axis(theme, 'packets / s'),
      type: 'value',
      nameGap: 48,
      axisLabel: { color: theme.muted, formatter: shortCount },
    },
    series: [
      ...(planned
        ? [
            {
              name: 'planned',
              type: 'line',
              step: 'end',
              data: points(planned),
              showSymbol: false,
              lineStyle: { width: 0 },
              itemStyle: { color: theme.planned },
              areaStyle: { color: theme.planned, opacity: 0.8 },
            },
          ]
        : []),
      {
        name: 'actual',
        type: 'line',
        step: 'end',
        data: points(actual),
        showSymbol: false,
        lineStyle: { width: 2, color: theme.accent },
        itemStyle: { color: theme.accent },
      },
    ],
  };
}

type Lateness = NonNullable<NonNullable<RunReport['sensors'][number]['result']>['lateness']>;
export const latenessMarks = [
  ['p50', 'median'],
  ['p90', '90 %'],
  ['p99', '99 %'],
  ['p999', '99.9 %'],
  ['max', 'worst'],
] as const satisfies readonly (readonly [keyof Lateness, string])[];

/** On a logarithmic axis, which has no place for nothing and less. */
const LEAST_NS = 100;

export function latenessChart(
  sensors: readonly { readonly sensor: string; readonly lateness: Lateness }[],
  theme: Theme,
): EChartsCoreOption {
  const shades = [0.35, 0.5, 0.65, 0.8, 1];
  return {
    ...common(theme),
    legend: { top: 0, right: 0, textStyle: { color: theme.text }, icon: 'rect' },
    grid: { left: 68, right: 16, top: 34, bottom: 30 },
    xAxis: {
      ...axis(theme),
      type: 'category',
      data: sensors.map(({ sensor }) => sensor),
      axisLabel: { color: theme.text, hideOverlap: true },
    },
    yAxis: {
      ...axis(theme, 'late by'),
      type: 'log',
      min: LEAST_NS,
      nameGap: 52,
      axisLabel: { color: theme.muted, formatter: (value: number) => duration(value) },
    },
    series: latenessMarks.map(([mark, name], index) => ({
      name,
      type: 'bar',
      barMaxWidth: 36,
      data: sensors.map(({ lateness }) => Math.max(LEAST_NS, Number(lateness[mark]))),
      itemStyle: { color: mark === 'max' ? theme.bad : theme.accent, opacity: shades[index] },
      tooltip: { valueFormatter: (value: unknown) => duration(Number(value)) },
    })),
  };
}

export function countsChart(
  sensors: readonly { readonly sensor: string; readonly sent: number; readonly refused: number }[],
  theme: Theme,
): EChartsCoreOption {
  const bars = (name: string, color: string, values: number[]): object => ({
    name,
    type: 'bar',
    stack: 'packets',
    barMaxWidth: 28,
    data: values,
    itemStyle: { color },
  });
  return {
    ...common(theme),
    legend: { top: 0, right: 0, textStyle: { color: theme.text }, icon: 'rect' },
    grid: { left: 96, right: 24, top: 34, bottom: 30 },
    xAxis: { ...axis(theme), type: 'value', axisLabel: { color: theme.muted, formatter: shortCount } },
    yAxis: {
      ...axis(theme),
      type: 'category',
      inverse: true,
      data: sensors.map(({ sensor }) => sensor),
      axisLabel: { color: theme.text, width: 84, overflow: 'truncate' },
    },
    series: [
      bars(
        'sent',
        theme.accent,
        sensors.map(({ sent }) => sent),
      ),
      bars(
        'not sent',
        theme.bad,
        sensors.map(({ refused }) => refused),
      ),
    ],
  };
}
