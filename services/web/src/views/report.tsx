// The report of a run that is over: the verdict, the accounts, lateness, clocks.
import type { RunReport } from '@capfleet/shared/contract/report';
import type { ComponentChildren } from 'preact';
import { Chart } from '../charts/chart.tsx';
import { countsChart, latenessChart, latenessMarks } from '../charts/rates.ts';
import { bytes, count, duration, instant, shortId } from '../format.ts';
import { refusedIn } from '../report-sums.ts';
import { Facts, State, Table, Wide } from '../parts/status.tsx';

export interface ReportProps {
  readonly report: RunReport;
  /** Stands behind the facts. */
  readonly children: ComponentChildren;
}

export function Report({ report, children }: ReportProps) {
  const { outcome, verdict, start, clock, totals, startSkew, speed, loops, sensors } = report;
  const saveJson = (): void => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(
      new Blob([JSON.stringify(report, null, 2)], { type: 'application/json' }),
    );
    link.download = `capfleet-${shortId(report.run)}.json`;
    link.click();
  };
  const late = sensors.flatMap(({ sensor, result }) =>
    result?.lateness ? [{ sensor, lateness: result.lateness }] : [],
  );
  const counts = sensors.flatMap(({ sensor, result }) =>
    result ? [{ sensor, sent: result.accounts.sent, refused: refusedIn(result.accounts) }] : [],
  );
  return (
    <>
      <Facts
        facts={[
          ['Outcome', <State key="outcome" word={outcome} />],
          ['Verdict', <State key="verdict" word={verdict.holds ? 'holds' : 'does not hold'} />],
          ['Start', instant(start)],
          ['Clock', clock ? `${clock.name}: ${clock.reason}` : '—'],
          ['Speed', speed],
          ['Loops', loops === 0 ? 'without end' : count(loops)],
          ['Read', count(totals.read)],
          ['Sent', `${count(totals.sent)}, ${bytes(totals.sentBytes)}`],
          ['Not sent', count(refusedIn(totals))],
          [
            'Start skew',
            startSkew ? `${duration(startSkew.measured)}, clocks ± ${duration(startSkew.clockBound)}` : '—',
          ],
        ]}
      />
      {report.error && (
        <div class="problem" role="alert">
          <strong>{report.error.message}</strong> {report.error.hint}
        </div>
      )}
      <p>
        <button type="button" onClick={saveJson}>
          Save the report (JSON)
        </button>
      </p>
      {children}
      <div class="columns">
        {late.length > 0 && (
          <section aria-labelledby="lateness">
            <h2 id="lateness">Lateness</h2>
            <Chart
              title="Lateness"
              summary={`How late packets were, by sensor: ${late.map(({ sensor, lateness }) => `${sensor} 99 % within ${duration(lateness.p99)}`).join(', ')}`}
              height={260}
              of={report}
              draw={(theme) => latenessChart(late, theme)}
            >
              <Table columns={['Sensor', ...latenessMarks.map(([, name]) => ({ number: name }))]}>
                {late.map(({ sensor, lateness }) => (
                  <tr key={sensor}>
                    <th scope="row">{sensor}</th>
                    {latenessMarks.map(([mark]) => (
                      <td key={mark} class="number">
                        {duration(lateness[mark])}
                      </td>
                    ))}
                  </tr>
                ))}
              </Table>
            </Chart>
          </section>
        )}
        {counts.length > 0 && (
          <section aria-labelledby="counts">
            <h2 id="counts">Packets</h2>
            <Chart
              title="Packets per sensor"
              summary={`Packets sent and not sent, by sensor: ${counts.map(({ sensor, sent, refused }) => `${sensor} ${count(sent)} sent, ${count(refused)} not`).join(', ')}`}
              height={Math.max(140, 80 + 34 * counts.length)}
              of={report}
              draw={(theme) => countsChart(counts, theme)}
            >
              <Accounts report={report} />
            </Chart>
          </section>
        )}
      </div>
      <section aria-labelledby="verdict">
        <h2 id="verdict">What the verdict rests on</h2>
        <Wide label="Findings">
          <Table columns={['Check', 'Sensor', 'Result', 'Finding']}>
            {verdict.findings.map(({ check, sensor, holds, text }, index) => (
              <tr key={index}>
                <th scope="row">{check}</th>
                <td>{sensor ?? 'all'}</td>
                <td>
                  <State word={holds ? 'holds' : 'does not hold'} />
                </td>
                <td class="text">{text}</td>
              </tr>
            ))}
          </Table>
        </Wide>
      </section>
      <Sensors report={report} />
    </>
  );
}

function Accounts({ report: { sensors } }: { readonly report: RunReport }) {
  return (
    <Table columns={['Sensor', { number: 'Read' }, { number: 'Sent' }, 'Not sent, by cause']}>
      {sensors.map(({ sensor, result }) => (
        <tr key={sensor}>
          <th scope="row">{sensor}</th>
          <td class="number">{result ? count(result.accounts.read) : '—'}</td>
          <td class="number">{result ? count(result.accounts.sent) : '—'}</td>
          <td>
            {Object.entries(result?.accounts.refused ?? {})
              .filter(([, packets]) => packets > 0)
              .map(([cause, packets]) => `${cause} ${count(packets)}`)
              .join(', ') || 'none'}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Sensors({ report: { sensors } }: { readonly report: RunReport }) {
  return (
    <section aria-labelledby="by-sensor">
      <h2 id="by-sensor">By sensor</h2>
      <Wide label="By sensor">
        <Table
          columns={[
            'Sensor',
            'Interface',
            'Outcome',
            { number: 'Start error' },
            { number: 'End drift' },
            { number: 'Clock ±' },
            'Notes',
          ]}
        >
          {sensors.map(({ sensor, interface: name, link, clockBound, result, error }) => (
            <tr key={sensor}>
              <th scope="row">{sensor}</th>
              <td>
                {name} ({link})
              </td>
              <td>
                <State word={result?.outcome ?? 'failed'} />
              </td>
              <td class="number">{result?.startError ? duration(result.startError) : '—'}</td>
              <td class="number">{result?.endDrift ? duration(result.endDrift) : '—'}</td>
              <td class="number">{clockBound === null ? '—' : duration(clockBound)}</td>
              <td class="text">
                {[error, result?.error ?? null].map((each, index) =>
                  each ? <div key={index}>{each.message}</div> : null,
                )}
                {result?.warnings.map(({ message, advice }, index) => (
                  <div key={index}>
                    {message}; {advice}
                  </div>
                ))}
              </td>
            </tr>
          ))}
        </Table>
      </Wide>
    </section>
  );
}
