// The runs of the last day.
import type { RunSummary } from '@capfleet/shared/contract/api';
import { useState } from 'preact/hooks';
import { useApi } from '../api/use-api.ts';
import { instant, shortId } from '../format.ts';
import { Problem, State, Table, Waiting, Wide } from '../parts/status.tsx';
import { StartRun } from './start-run.tsx';

export function RunsView() {
  const { data, refused } = useApi<{ runs: RunSummary[] }>('runs', 2000);
  const [isStarting, setStarting] = useState(false);
  return (
    <>
      <div class="heading">
        <h1>Runs</h1>
        <button
          type="button"
          class="primary"
          onClick={() => {
            setStarting(true);
          }}
        >
          Replay a set
        </button>
      </div>
      <Problem refused={refused} />
      {data === null && !refused && <Waiting what="runs" />}
      {data?.runs.length === 0 && <p>No run was asked for within the last day.</p>}
      {data && data.runs.length > 0 && (
        <Wide label="Runs">
          <Table columns={['Run', 'State', 'Verdict', 'Sensors', 'Asked for']}>
            {data.runs.map(({ run, state, holds, sensors, created }) => (
              <tr key={run}>
                <th scope="row">
                  <a href={`#/runs/${run}`}>{shortId(run)}</a>
                </th>
                <td>
                  <State word={state} />
                </td>
                <td>{holds === null ? '—' : <State word={holds ? 'holds' : 'does not hold'} />}</td>
                <td>{sensors.join(', ')}</td>
                <td>{instant(created)}</td>
              </tr>
            ))}
          </Table>
        </Wide>
      )}
      {isStarting && (
        <StartRun
          set={null}
          onClose={() => {
            setStarting(false);
          }}
        />
      )}
    </>
  );
}
