// Mappings: those of the last day, and how far one is.
import type { MapRecord, MapState } from '@capfleet/shared/contract/map-record';
import { useApi, useClient, useEvents } from '../api/use-api.ts';
import { bytes, count, instant, percent, plural, shortId } from '../format.ts';
import { Opener, stopInDoubt, Stopper } from '../parts/dialog.tsx';
import { Facts, NotCurrent, Problem, State, Table, Waiting, Wide } from '../parts/status.tsx';
import { MapSource } from './map-source.tsx';

interface MapDetail {
  readonly record: MapRecord;
  readonly state: MapState;
}

export function MapsView() {
  const { data, refused } = useApi<{ maps: MapDetail[] }>('maps', 3000);
  return (
    <>
      <div class="heading">
        <h1>Mappings</h1>
        <Opener label="Map a source">{(close) => <MapSource onClose={close} />}</Opener>
      </div>
      <Problem refused={refused} />
      {data === null && !refused && <Waiting what="mappings" />}
      {data?.maps.length === 0 && <p>Nothing was mapped within the last day.</p>}
      {data && data.maps.length > 0 && (
        <Wide label="Mappings">
          <Table columns={['Mapping', 'State', 'Set', 'Source', { number: 'Files' }, 'Asked for']}>
            {data.maps.map(({ record, state }) => (
              <tr key={record.map}>
                <th scope="row">
                  <a href={`#/maps/${record.map}`}>{shortId(record.map)}</a>
                </th>
                <td>
                  <State word={state.state} />
                </td>
                <td>{record.set}</td>
                <td>{record.source}</td>
                <td class="number">{state.progress ? count(state.progress.filesDone) : '—'}</td>
                <td>{instant(record.created)}</td>
              </tr>
            ))}
          </Table>
        </Wide>
      )}
    </>
  );
}

export function MapView({ id }: { readonly id: string }) {
  const client = useClient();
  const { state, last, refused, lost } = useEvents<MapDetail, MapDetail>(`maps/${id}/events`);
  const detail = last ?? state;
  return (
    <>
      <div class="heading">
        <h1>Mapping {shortId(id)}</h1>
        {detail && !last && (
          <Stopper what="mapping" onStop={() => client.post(`maps/${id}/stop`, null, stopInDoubt)}>
            <p>The set {detail.record.set} stays as it was.</p>
          </Stopper>
        )}
      </div>
      <Problem refused={refused} />
      <NotCurrent lost={lost} />
      {!detail && !refused && !lost && <Waiting what="the mapping" />}
      {detail && <MapProgress {...detail} />}
    </>
  );
}

function MapProgress({ record, state }: MapDetail) {
  const { progress, error, filesFailed } = state;
  const share = progress?.listed === true ? percent(progress.bytesDone, progress.bytes) : null;
  // Said aloud at each tenth, not at each file.
  const tenths =
    progress?.listed === true ? Math.floor((progress.bytesDone / Math.max(1, progress.bytes)) * 10) : 0;
  return (
    <>
      <Facts
        facts={[
          ['State', <State key="state" word={state.state} />],
          ['Source', record.source],
          ['Becomes the set', record.set],
          ['Asked for', instant(record.created)],
          [
            'Files',
            progress
              ? `${count(progress.filesDone)} of ${count(progress.files)}${progress.listed ? '' : ' so far'}`
              : '—',
          ],
          ['Read', progress ? `${bytes(progress.bytesDone)} of ${bytes(progress.bytes)}` : '—'],
          ['Files that failed', filesFailed === null ? '—' : count(filesFailed)],
        ]}
      />
      <p>
        <progress
          aria-label="Mapped"
          max={Math.max(1, progress?.bytes ?? 1)}
          {...(progress?.listed === true && { value: progress.bytes === 0 ? 1 : progress.bytesDone })}
        />{' '}
        {share}
      </p>
      <p role="status" class="unseen">
        Mapping {state.state}
        {state.state === 'mapping' ? `, ${String(tenths * 10)} % done` : ''}
      </p>
      {error && (
        <div class="problem" role="alert">
          <strong>{error.message}</strong> {error.hint}
        </div>
      )}
      {state.state === 'waiting' && <p>Waiting for a mapper (`capfleet mapper`) of this queue.</p>}
      {state.state === 'done' && (
        <p>
          {progress ? `${plural(progress.filesDone, 'file')} mapped. ` : ''}
          <a class="button" href={`#/sets/${encodeURIComponent(record.set)}`}>
            Show the set {record.set}
          </a>
        </p>
      )}
    </>
  );
}
