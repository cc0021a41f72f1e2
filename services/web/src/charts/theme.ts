// Colours of the charts, for light and dark. Series differ in lightness too, so that they can be told apart without colour.

export interface Theme {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly track: string;
  readonly accent: string;
  readonly planned: string;
  readonly bad: string;
  readonly surface: string;
}

export const light: Theme = {
  text: '#1c2430',
  muted: '#55606e',
  line: '#dde2e8',
  track: '#eef1f5',
  accent: '#14508c',
  planned: '#a9bdd3',
  bad: '#b42318',
  surface: '#ffffff',
};

export const dark: Theme = {
  text: '#e8ecf1',
  muted: '#a3afbd',
  line: '#323c49',
  track: '#232c37',
  accent: '#6cb2f7',
  planned: '#4a6079',
  bad: '#ff8d80',
  surface: '#161d26',
};

const FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';

/** What all charts have in common. Tooltips are drawn, since the page takes no styles out of markup. */
export function common(theme: Theme): object {
  return {
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: FONT, color: theme.text },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      backgroundColor: theme.surface,
      borderColor: theme.line,
      textStyle: { color: theme.text, fontFamily: FONT, fontSize: 12 },
      axisPointer: { lineStyle: { color: theme.muted } },
    },
  };
}

export function axis(theme: Theme, name = ''): object {
  return {
    name,
    nameLocation: 'middle',
    nameTextStyle: { color: theme.muted },
    axisLine: { show: true, onZero: false, lineStyle: { color: theme.line } },
    axisTick: { lineStyle: { color: theme.line } },
    axisLabel: { color: theme.muted, hideOverlap: true },
    splitLine: { lineStyle: { color: theme.line } },
  };
}
