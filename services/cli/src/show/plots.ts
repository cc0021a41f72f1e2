// A verification as three pictures: where in the run packets were off their time, how large the errors of the gaps
// are, and how many packets went each moment. The charting library is loaded when a plot is asked for, and not before.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EChartsCoreOption } from 'echarts/core';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { makeFolder } from '@capfleet/shared/source/make-folder';
import type { GapBin, Rates, Series } from '@capfleet/shared/verify/series';
import { printable } from './text.ts';

const WIDTH = 1000;
const HEIGHT = 480;
const FONT = 'DejaVu Sans, Helvetica, Arial, sans-serif';
const PLANNED = '#c3ccd5';
const ACTUAL = '#1f6feb';
const GRID = { left: 100, right: 40, top: 80, bottom: 60, containLabel: false };
/** A title that is longer would leave the picture. */
const LONGEST_NAME = 70;

/**
 * Writes `deviation.svg`, `gap-error.svg` and `packet-rate.svg`.
 * @param dir is made where it is missing
 * @param name of the set, for the titles
 * @param series null where there is nothing to draw: the pictures then say so
 * @returns `plot-unwritable`; null where they are written
 */
export async function writePlots(dir: string, name: string, series: Series | null): Promise<Failure | null> {
  const plots = await drawPlots(name, series);
  try {
    await makeFolder(dir);
    for (const [file, svg] of Object.entries(plots)) await writeFile(join(dir, file), svg);
    return null;
  } catch (error) {
    return new Failure('plot-unwritable', { path: dir, reason: reasonOf(error) }, { cause: error });
  }
}

/** SVG documents by file name. The same series give the same bytes. */
export async function drawPlots(name: string, series: Series | null): Promise<Record<string, string>> {
  const draw = await createDrawing();
  const set = shorten(printable(name));
  const rates = series?.rates ?? null;
  return {
    'deviation.svg': draw(
      series ? deviationChart(set, series.deviation) : emptyChart(`${set}: deviation from the schedule`),
    ),
    'gap-error.svg': draw(
      series && series.gaps.length > 0
        ? gapChart(set, series.gaps)
        : emptyChart(`${set}: error of the gaps between packets`),
    ),
    'packet-rate.svg': draw(rates ? rateChart(set, rates) : emptyChart(`${set}: packet rate`)),
  };
}

async function createDrawing(): Promise<(option: EChartsCoreOption) => string> {
  const [core, charts, components, renderers] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ]);
  core.use([
    charts.BarChart,
    charts.LineChart,
    components.GridComponent,
    components.LegendComponent,
    components.TitleComponent,
    renderers.SVGRenderer,
  ]);
  return (option) => {
    const chart = core.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
    try {
      chart.setOption({
        animation: false,
        backgroundColor: '#ffffff',
        textStyle: { fontFamily: FONT, fontSize: 13, color: '#24292f' },
        grid: GRID,
        ...option,
      });
      return withOwnNames(chart.renderToSVGString());
    } finally {
      chart.dispose();
    }
  };
}

/** Identifiers count what this process has drawn so far, which says nothing about the chart: its own begin at 0. */
function withOwnNames(svg: string): string {
  const names = new Map<string, string>();
  return svg.replace(/\bzr\d+-[a-z]+-?\d+/g, (id) => {
    const name = names.get(id) ?? `plot-${String(names.size)}`;
    names.set(id, name);
    return name;
  });
}

function deviationChart(set: string, buckets: Series['deviation']): EChartsCoreOption {
  const far = Math.max(...buckets.map(({ least, greatest }) => Math.max(-least, greatest)));
  const y = timeUnit(far);
  const x = timeUnit(buckets.at(-1)?.at ?? 0);
  return {
    title: title(
      `${set}: deviation from the schedule`,
      'least and greatest of each moment; late is above zero',
    ),
    xAxis: { ...horizontal(`time since the first packet, ${x.name}`), type: 'value', scale: true },
    yAxis: { ...vertical(`deviation, ${y.name}`), type: 'value' },
    series: [
      {
        type: 'line',
        data: buckets.flatMap(({ at, least, greatest }) => [
          [at / x.ns, least / y.ns],
          [at / x.ns, greatest / y.ns],
        ]),
        showSymbol: buckets.length === 1,
        lineStyle: { width: 1.2, color: ACTUAL },
        itemStyle: { color: ACTUAL },
      },
    ],
  };
}

function gapChart(set: string, bins: readonly GapBin[]): EChartsCoreOption {
  return {
    title: title(
      `${set}: error of the gaps between packets`,
      'absolute, received − planned; both axes are logarithmic',
    ),
    xAxis: {
      ...horizontal('error up to'),
      type: 'category',
      data: bins.map(({ to }) => (to === 0 ? 'none' : binLabel(to))),
      axisTick: { alignWithLabel: true },
      nameGap: 60,
      axisLabel: { interval: 0, rotate: bins.length > 20 ? 60 : 0, hideOverlap: true },
    },
    // From below one, so that a bin of one gap has a height.
    yAxis: {
      ...vertical('gaps'),
      type: 'log',
      min: 0.5,
      startValue: 0.5,
      axisLabel: { formatter: wholeOnly },
    },
    grid: { ...GRID, bottom: 90 },
    series: [
      {
        type: 'bar',
        data: bins.map(({ count }) => (count === 0 ? null : count)),
        barCategoryGap: '10%',
        itemStyle: { color: ACTUAL },
      },
    ],
  };
}

function rateChart(set: string, { width, start, planned, actual }: Rates): EChartsCoreOption {
  const x = timeUnit(start + width * planned.length);
  const perSecond = 1e9 / width;
  const points = (counts: readonly number[]): number[][] =>
    counts.map((count, bucket) => [(start + (bucket + 0.5) * width) / x.ns, count * perSecond]);
  return {
    title: title(`${set}: packet rate`, `planned and actual, over stretches of ${spell(width)}`),
    legend: { top: 12, right: 40, icon: 'rect', data: ['planned', 'actual'] },
    xAxis: { ...horizontal(`time since the first packet, ${x.name}`), type: 'value', scale: true },
    yAxis: { ...vertical('packets per second'), type: 'value' },
    series: [
      {
        name: 'planned',
        type: 'line',
        step: 'middle',
        data: points(planned),
        showSymbol: false,
        lineStyle: { width: 0 },
        areaStyle: { color: PLANNED, opacity: 1 },
        itemStyle: { color: PLANNED },
      },
      {
        name: 'actual',
        type: 'line',
        step: 'middle',
        data: points(actual),
        showSymbol: false,
        lineStyle: { width: 1.2, color: ACTUAL },
        itemStyle: { color: ACTUAL },
      },
    ],
  };
}

function emptyChart(text: string): EChartsCoreOption {
  return { title: title(text, 'nothing to draw: too few packets arrived, or the plan has no times') };
}

function title(text: string, subtext: string): object {
  return {
    text,
    subtext,
    left: 20,
    top: 10,
    textStyle: { fontSize: 16, color: '#24292f' },
    subtextStyle: { fontSize: 12, color: '#57606a' },
  };
}

function horizontal(name: string): object {
  return { ...axis(name), nameGap: 34 };
}

function vertical(name: string): object {
  return { ...axis(name), nameRotate: 90, nameGap: 64 };
}

function axis(name: string): object {
  return {
    name,
    nameLocation: 'middle',
    nameTextStyle: { fontSize: 13, color: '#24292f' },
    axisLine: { show: true, onZero: false },
    splitLine: { lineStyle: { color: '#e5e8eb' } },
  };
}

interface Unit {
  readonly name: string;
  readonly ns: number;
}

const units: readonly Unit[] = [
  { name: 'h', ns: 3.6e12 },
  { name: 'min', ns: 6e10 },
  { name: 's', ns: 1e9 },
  { name: 'ms', ns: 1e6 },
  { name: 'µs', ns: 1e3 },
];
const NANOSECONDS: Unit = { name: 'ns', ns: 1 };

/** The largest unit of which there are at least two. */
function timeUnit(ns: number): Unit {
  return units.find((unit) => Math.abs(ns) >= 2 * unit.ns) ?? NANOSECONDS;
}

function binLabel(ns: number): string {
  const unit = units.slice(2).find((candidate) => ns >= 0.999 * candidate.ns) ?? NANOSECONDS;
  return `${String(Number((ns / unit.ns).toPrecision(2)))} ${unit.name}`;
}

function spell(ns: number): string {
  const unit = units.slice(2).find((candidate) => ns >= candidate.ns) ?? NANOSECONDS;
  return `${String(ns / unit.ns)} ${unit.name}`;
}

function wholeOnly(value: number): string {
  return value < 1 ? '' : value.toLocaleString('en-US');
}

/** The end of a path tells more than its beginning. */
function shorten(name: string): string {
  return name.length <= LONGEST_NAME ? name : `…${name.slice(1 - LONGEST_NAME)}`;
}
