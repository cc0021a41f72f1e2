// One data set: which capture thread wrote what, and when.
import type { SetTimeline } from '@capfleet/shared/contract/api';
import { useApi } from '../api/use-api.ts';
import { Chart } from '../charts/chart.tsx';
import { laneName, lanesChart, lanesHeight, lanesOf } from '../charts/lanes.ts';
import { between, bytes, count, duration, instant, percent, plural } from '../format.ts';
import { Opener } from '../parts/dialog.tsx';
import { Facts, Problem, Table, Waiting, Wide } from '../parts/status.tsx';
import { StartRun } from './start-run.tsx';

const MOST_PAUSES = 20;

export function SetView({ name }: { readonly name: string }) {
  const { data, refused } = useApi<SetTimeline>(`sets/${encodeURIComponent(name)}/timeline`);
  return (
    <>
      <div class="heading">
        <h1>{name}</h1>
        <Opener label="Replay" disabled={!data?.beginning}>
          {(close) => <StartRun set={name} onClose={close} />}
        </Opener>
      </div>
      <Problem refused={refused} />
      {data === null && !refused && <Waiting what="the time line" />}
      {data && <Timeline timeline={data} />}
    </>
  );
}

function Timeline({ timeline }: { readonly timeline: SetTimeline }) {
  const { beginning, end, laneCount } = timeline;
  if (beginning === null) return <p>No file of this set has a place on the time line.</p>;
  const lanes = lanesOf(timeline);
  const total = (of: 'files' | 'packets' | 'capturedBytes' | 'outOfOrderFiles' | 'pauses'): number =>
    lanes.reduce((sum, lane) => sum + lane[of], 0);
  const length = between(beginning, end);
  const nameOf = (lane: (typeof lanes)[number]): string => laneName(lane, laneCount - timeline.shown.length);
  const most = timeline.overlaps[0]?.lanes ?? 0;
  return (
    <>
      <Facts
        facts={[
          ['Files', count(total('files'))],
          ['Packets', count(total('packets'))],
          ['Captured', bytes(total('capturedBytes'))],
          ['Begins', instant(beginning)],
          ['Ends', instant(end)],
          ['Lasts', duration(length)],
          ['Lanes', count(laneCount)],
          ['Pauses over 1 s', count(total('pauses'))],
          ['Files out of order', count(total('outOfOrderFiles'))],
        ]}
      />
      <Chart
        title="Time line"
        summary={`${plural(laneCount, 'lane')}, each what one capture thread wrote, from ${instant(beginning)} to ${instant(end)}; up to ${plural(most, 'lane')} at once, ${plural(total('pauses'), 'pause')}`}
        height={lanesHeight(timeline)}
        of={timeline}
        draw={(theme) => lanesChart(timeline, theme)}
      >
        <Table
          columns={[
            'Lane',
            { number: 'Files' },
            { number: 'Packets' },
            { number: 'Captured' },
            'Begins',
            'Ends',
            { number: 'Pauses' },
            { number: 'Out of order' },
          ]}
        >
          {lanes.map((lane) => (
            <tr key={String(lane.lane)}>
              <th scope="row">{nameOf(lane)}</th>
              <td class="number">{count(lane.files)}</td>
              <td class="number">{count(lane.packets)}</td>
              <td class="number">{bytes(lane.capturedBytes)}</td>
              <td>{instant(lane.beginning)}</td>
              <td>{instant(lane.end)}</td>
              <td class="number">{count(lane.pauses)}</td>
              <td class="number">{count(lane.outOfOrderFiles)}</td>
            </tr>
          ))}
        </Table>
      </Chart>
      <div class="columns">
        <Overlaps timeline={timeline} />
        <Pauses timeline={timeline} nameOf={nameOf} />
      </div>
    </>
  );
}

function Overlaps({ timeline }: { readonly timeline: SetTimeline }) {
  const all = timeline.overlaps.reduce((sum, { time }) => sum + Number(time), 0);
  return (
    <section aria-labelledby="overlaps">
      <h2 id="overlaps">Lanes at once</h2>
      <Wide label="Lanes at once">
        <Table columns={['Lanes', { number: 'Time' }, { number: 'Share' }]}>
          {timeline.overlaps.map(({ lanes, time }) => (
            <tr key={lanes}>
              <th scope="row">{count(lanes)}</th>
              <td class="number">{duration(time)}</td>
              <td class="number">{percent(Number(time), all)}</td>
            </tr>
          ))}
        </Table>
      </Wide>
    </section>
  );
}

function Pauses({
  timeline,
  nameOf,
}: {
  readonly timeline: SetTimeline;
  readonly nameOf: (lane: SetTimeline['shown'][number]) => string;
}) {
  const longest = lanesOf(timeline)
    .flatMap((lane) => lane.longestPauses.map((pause) => ({ lane, ...pause })))
    .sort((a, b) => Number(b.length) - Number(a.length))
    .slice(0, MOST_PAUSES);
  return (
    <section aria-labelledby="pauses">
      <h2 id="pauses">Longest pauses</h2>
      {longest.length === 0 ? (
        <p>No lane paused for more than a second.</p>
      ) : (
        <Wide label="Longest pauses">
          <Table columns={['Lane', { number: 'Length' }, 'From', 'To']}>
            {longest.map(({ lane, length, from, to }) => (
              <tr key={`${String(lane.lane)} ${from}`}>
                <th scope="row">{nameOf(lane)}</th>
                <td class="number">{duration(length)}</td>
                <td>{instant(from)}</td>
                <td>{instant(to)}</td>
              </tr>
            ))}
          </Table>
        </Wide>
      )}
    </section>
  );
}
