// A chart on the page: drawn by the library once it is there, again when its size or the colours change, and saved as a
// picture. What it shows stands below it as a table.
import type { ECharts, EChartsCoreOption } from 'echarts/core';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dark, light, type Theme } from './theme.ts';

export interface ChartProps {
  readonly title: string;
  /** What it shows in a sentence, for who does not see it. */
  readonly summary: string;
  readonly height: number;
  readonly draw: (theme: Theme) => EChartsCoreOption;
  /** Changes when there is something else to be drawn. */
  readonly of: unknown;
  readonly children: ComponentChildren;
}

export function Chart({ title, summary, height, draw, of, children }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const isDark = useDark();
  const [isReady, setReady] = useState(false);
  useEffect(() => {
    let isGone = false;
    let observer: ResizeObserver | null = null;
    void import('./draw.ts').then(({ drawOn }) => {
      if (isGone || !place.current) return;
      const drawn = drawOn(place.current);
      chart.current = drawn;
      observer = new ResizeObserver(() => {
        drawn.resize();
      });
      observer.observe(place.current);
      setReady(true);
    });
    return () => {
      isGone = true;
      observer?.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    if (isReady) chart.current?.setOption(draw(isDark ? dark : light), { notMerge: true });
  }, [isReady, isDark, of]);
  const file = title.toLowerCase().replaceAll(/\W+/g, '-');
  const saveSvg = async (): Promise<void> => {
    const { svgOf } = await import('./draw.ts');
    save(new Blob([svgOf(draw(light), Math.max(400, height))], { type: 'image/svg+xml' }), `${file}.svg`);
  };
  const savePng = async (): Promise<void> => {
    const url = chart.current?.getDataURL({
      type: 'png',
      pixelRatio: 2,
      backgroundColor: (isDark ? dark : light).surface,
    });
    const bytes = Uint8Array.from(atob(url?.split(',')[1] ?? ''), (each) => each.codePointAt(0) ?? 0);
    save(new Blob([bytes], { type: 'image/png' }), `${file}.png`);
  };
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="tools">
          <button
            type="button"
            disabled={!isReady}
            onClick={() => void saveSvg()}
            aria-label={`Save ${title} as SVG`}
          >
            SVG
          </button>
          <button
            type="button"
            disabled={!isReady}
            onClick={() => void savePng()}
            aria-label={`Save ${title} as PNG`}
          >
            PNG
          </button>
        </span>
      </figcaption>
      <div
        ref={place}
        role="img"
        aria-label={summary}
        class="canvas"
        style={{ height: `${String(height)}px` }}
        data-ready={isReady}
      />
      <details>
        <summary>As a table</summary>
        <div class="wide" tabIndex={0} role="region" aria-label={`${title} as a table`}>
          {children}
        </div>
      </details>
    </figure>
  );
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}

function useDark(): boolean {
  const [query] = useState(() => window.matchMedia('(prefers-color-scheme: dark)'));
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = (): void => {
      setDark(query.matches);
    };
    query.addEventListener('change', change);
    return () => {
      query.removeEventListener('change', change);
    };
  }, [query]);
  return isDark;
}
