// The data sets that are kept.
import type { SetInfo } from '@capfleet/shared/contract/api';
import { useApi } from '../api/use-api.ts';
import { between, count, duration, instant } from '../format.ts';
import { Opener } from '../parts/dialog.tsx';
import { Problem, Table, Waiting, Wide } from '../parts/status.tsx';
import { MapSource } from './map-source.tsx';

export function SetsView() {
  const { data, refused } = useApi<{ sets: SetInfo[] }>('sets', 5000);
  return (
    <>
      <div class="heading">
        <h1>Data sets</h1>
        <Opener label="Map a source">{(close) => <MapSource onClose={close} />}</Opener>
      </div>
      <Problem refused={refused} />
      {data === null ? (
        refused ? null : (
          <Waiting what="data sets" />
        )
      ) : data.sets.length === 0 ? (
        <p>No set is kept. Map a folder of captures, and it appears here.</p>
      ) : (
        <Wide label="Data sets">
          <Table
            columns={['Set', { number: 'Files' }, { number: 'Packets' }, 'Begins', 'Lasts', 'Kept since']}
          >
            {data.sets.map(({ set, files, packets, beginning, end, kept }) => (
              <tr key={set}>
                <th scope="row">
                  <a href={`#/sets/${encodeURIComponent(set)}`}>{set}</a>
                </th>
                <td class="number">{count(files)}</td>
                <td class="number">{count(packets)}</td>
                <td>{instant(beginning)}</td>
                <td>{duration(between(beginning, end))}</td>
                <td>{instant(kept)}</td>
              </tr>
            ))}
          </Table>
        </Wide>
      )}
    </>
  );
}
