// The sensors that are registered: interface, clock, and what they are busy with.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { useApi } from '../api/use-api.ts';
import { disciplineText, offsetText } from '../clock-words.ts';
import { count, shortId } from '../format.ts';
import { Problem, State, Table, Waiting, Wide } from '../parts/status.tsx';

export function SensorsView() {
  const { data, refused } = useApi<{ sensors: Registration[] }>('sensors', 2000);
  return (
    <>
      <h1>Sensors</h1>
      <Problem refused={refused} />
      {data === null && !refused && <Waiting what="sensors" />}
      {data?.sensors.length === 0 && (
        <p>
          No sensor is registered. Start <code>capfleet replayer --redis … --sensor NAME --interface …</code>{' '}
          on each.
        </p>
      )}
      {data && data.sensors.length > 0 && (
        <>
          <p class="quiet">
            The offset is that of the host’s wall clock, ahead of or behind the clock of Redis, as it was
            measured for the last run.
          </p>
          <Wide label="Sensors">
            <Table
              columns={[
                'Sensor',
                'Load',
                'Interface',
                'Link',
                { number: 'MTU' },
                'Clock offset',
                'System clock',
                'Host',
                'Version',
              ]}
            >
              {data.sensors.map((each) => (
                <tr key={each.sensor}>
                  <th scope="row">{each.sensor}</th>
                  <td>
                    {each.busyWith === null ? (
                      'idle'
                    ) : (
                      <a href={`#/runs/${each.busyWith}`}>run {shortId(each.busyWith)}</a>
                    )}
                  </td>
                  <td>{each.interface}</td>
                  <td>
                    {each.link} <State word={each.up ? 'up' : 'down'} />
                  </td>
                  <td class="number">{each.mtu === null ? '—' : count(each.mtu)}</td>
                  <td>{offsetText(each)}</td>
                  <td>{disciplineText(each)}</td>
                  <td>{each.host}</td>
                  <td>{each.version}</td>
                </tr>
              ))}
            </Table>
          </Wide>
        </>
      )}
    </>
  );
}
