// One run: as it plays, and its report once it is over.
import type { RunCourse } from '@capfleet/shared/contract/api';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunView as View } from '@capfleet/shared/contract/run-view';
import { useState } from 'preact/hooks';
import { useApi, useClient, useEvents } from '../api/use-api.ts';
import { Chart } from '../charts/chart.tsx';
import { latenessMarks, rateChart, ratesOf } from '../charts/rates.ts';
import { bytes, count, duration, instant, shortCount, shortId } from '../format.ts';
import { stopInDoubt, Stopper } from '../parts/dialog.tsx';
import { Facts, NotCurrent, Problem, State, Table, Waiting, Wide } from '../parts/status.tsx';
import { Report } from './report.tsx';

const COURSE_MS = 2000;
/** What is shown of them while a run plays. */
const lateMarks = latenessMarks.filter(([mark]) => mark === 'p50' || mark === 'p99' || mark === 'max');

export function RunView({ id }: { readonly id: string }) {
  const client = useClient();
  const { state, last: report, refused, lost } = useEvents<View, RunReport>(`runs/${id}/events`);
  return (
    <>
      <div class="heading">
        <h1>Run {shortId(id)}</h1>
        {state && !report && (
          <Stopper
            what="run"
            disabled={state.stopAsked}
            onStop={() => client.post(`runs/${id}/stop`, null, stopInDoubt)}
          >
            <p>
              Every sensor ({state.sensors.map(({ sensor }) => sensor).join(', ')}) stops sending at once.
              What was not sent by then stays unsent; the report tells how much.
            </p>
          </Stopper>
        )}
      </div>
      <Problem refused={refused} />
      <NotCurrent lost={lost} />
      {!state && !report && !refused && !lost && <Waiting what="the run" />}
      <p role="status" class="unseen">
        {report
          ? `The run is over: ${report.outcome}`
          : state && !lost
            ? `The run is ${phaseWords[state.phase]}`
            : ''}
      </p>
      {report ? (
        <Report report={report}>
          {/* Asked for anew once the run is over: then the course is whole. */}
          <Rates key="over" run={id} isOver isLost={false} sensors={namesOf(report)} />
        </Report>
      ) : (
        state && (
          <>
            <Live view={state} />
            <Rates key="live" run={id} isOver={false} isLost={lost !== null} sensors={namesOf(state)} />
          </>
        )
      )}
    </>
  );
}

function namesOf({ sensors }: { readonly sensors: readonly { readonly sensor: string }[] }): string[] {
  return sensors.map(({ sensor }) => sensor);
}

const phaseWords = {
  waiting: 'waiting for its sensors',
  preparing: 'preparing',
  committing: 'agreeing on the start',
  armed: 'armed: it starts at the committed instant',
  playing: 'playing',
  stopping: 'stopping',
  ended: 'ended',
} as const satisfies Record<View['phase'], string>;

function Live({ view }: { readonly view: View }) {
  const sum = (of: 'sent' | 'sentBytes' | 'refused'): number =>
    view.sensors.reduce((all, { progress }) => all + (progress?.[of] ?? 0), 0);
  const reached = Math.max(0, ...view.sensors.map(({ progress }) => Number(progress?.position ?? 0)));
  return (
    <>
      <Facts
        facts={[
          ['Phase', <State key="phase" word={view.phase} />],
          ['Start', view.start === null ? 'not decided yet' : instant(view.start)],
          ['Clock', view.clock ?? '—'],
          ['Played', duration(reached)],
          ['Sent', count(sum('sent'))],
          ['Bytes', bytes(sum('sentBytes'))],
          ['Not sent', count(sum('refused'))],
        ]}
      />
      <Wide label="Sensors of the run">
        <Table
          columns={[
            'Sensor',
            'State',
            { number: 'Sent' },
            { number: 'Bytes' },
            { number: 'Not sent' },
            { number: 'At' },
            { number: 'Behind the first' },
            ...lateMarks.map(([, name]) => ({ number: `Late, ${name}` })),
          ]}
        >
          {view.sensors.map((each) => (
            <tr key={each.sensor}>
              <th scope="row">{each.sensor}</th>
              <td>
                <State word={wordOf(each, view.phase)} />
                {each.error && <div class="problem">{each.error.message}</div>}
              </td>
              <td class="number">{count(each.progress?.sent ?? 0)}</td>
              <td class="number">{bytes(each.progress?.sentBytes ?? 0)}</td>
              <td class="number">{count(each.progress?.refused ?? 0)}</td>
              <td class="number">{each.progress ? duration(each.progress.position) : '—'}</td>
              <td class="number">
                {each.progress ? duration(reached - Number(each.progress.position)) : '—'}
              </td>
              {lateMarks.map(([mark]) => (
                <td key={mark} class="number">
                  {each.progress?.lateness ? duration(each.progress.lateness[mark]) : '—'}
                </td>
              ))}
            </tr>
          ))}
        </Table>
      </Wide>
    </>
  );
}

function wordOf({ away, outcome, error, ready }: View['sensors'][number], phase: View['phase']): string {
  if (outcome !== null) return outcome;
  if (error) return 'failed';
  if (away) return 'lost';
  if (phase === 'playing' || phase === 'stopping' || phase === 'armed') return phase;
  return ready ? 'ready' : phase === 'waiting' ? 'awaited' : 'preparing';
}

interface RatesProps {
  readonly run: string;
  readonly isOver: boolean;
  /** It is said already that the run cannot be followed at present. */
  readonly isLost: boolean;
  readonly sensors: readonly string[];
}

function Rates({ run, isOver, isLost, sensors }: RatesProps) {
  const { data, refused, lost } = useApi<RunCourse>(`runs/${run}/course`, isOver ? 0 : COURSE_MS);
  const [only, setOnly] = useState('');
  if (!data) return isLost ? null : <Problem refused={refused} />;
  const shown = only === '' ? sensors : [only];
  const rates = ratesOf(data, shown, isOver);
  const rows = Math.max(rates.planned?.length ?? 0, rates.actual.length);
  return (
    <section aria-labelledby="rates">
      <div class="heading">
        <h2 id="rates">Planned against actual</h2>
        {sensors.length > 1 && (
          <label class="inline">
            Sensor
            <select
              value={only}
              onChange={({ currentTarget }) => {
                setOnly(currentTarget.value);
              }}
            >
              <option value="">all together</option>
              {sensors.map((sensor) => (
                <option key={sensor} value={sensor}>
                  {sensor}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <NotCurrent lost={isLost ? null : lost} />
      {rates.planned === null && (
        <p class="quiet">
          There is no planned rate: packets are not due by their stamps alone, or the run has no end.
        </p>
      )}
      {data.planned?.estimated === true && (
        <p class="quiet">The plan is shown as it is before packets are filtered and shared by flow.</p>
      )}
      <Chart
        title="Packet rate"
        summary={`Packets per second over the time of the run, planned and actual, of ${shown.join(', ')}; ${
          rates.actual.length === 0
            ? 'nothing was sent yet'
            : `lately ${shortCount(rates.actual.at(-1) ?? 0)} per second`
        }`}
        height={280}
        of={rates}
        draw={(theme) => rateChart(rates, theme)}
      >
        <Table
          columns={[
            { number: 'After the start' },
            { number: 'Planned, packets / s' },
            { number: 'Actual, packets / s' },
          ]}
        >
          {Array.from({ length: rows }, (_, index) => (
            <tr key={index}>
              <th scope="row" class="number">
                {duration(index * rates.bucket)}
              </th>
              <td class="number">{rateText(rates.planned?.[index])}</td>
              <td class="number">{rateText(rates.actual[index])}</td>
            </tr>
          ))}
        </Table>
      </Chart>
    </section>
  );
}

function rateText(rate: number | undefined): string {
  return rate === undefined ? '—' : shortCount(rate);
}
