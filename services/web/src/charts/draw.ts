// The charting library, with what the page's charts need of it and no more. Loaded when the first chart is drawn.
import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent, TooltipComponent } from 'echarts/components';
import { init, use, type ECharts, type EChartsCoreOption } from 'echarts/core';
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers';

use([
  BarChart,
  CustomChart,
  LineChart,
  GridComponent,
  LegendComponent,
  TitleComponent,
  TooltipComponent,
  CanvasRenderer,
  SVGRenderer,
]);

export function drawOn(element: HTMLElement): ECharts {
  return init(element, null, { renderer: 'canvas' });
}

const SAVED = { width: 1200, height: 600 };

/** The chart as a picture of its own, in the colours of paper. */
export function svgOf(option: EChartsCoreOption, height = SAVED.height): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: SAVED.width, height });
  try {
    chart.setOption({ ...option, animation: false, backgroundColor: '#ffffff' });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
