// The data sets that are kept.
import type { SetInfo } from '@capfleet/shared/contract/api';
import { useState } from 'preact/hooks';
import { useApi } from '../api/use-api.ts';
import { between, count, duration, instant } from '../format.ts';
import { Problem, Waiting, Wide } from '../parts/status.tsx';
import { MapSource } from './map-source.tsx';

export function SetsView() {
  const { data, refused } = useApi<{ sets: SetInfo[] }>('sets', 5000);
  const [isMapping, setMapping] = useState(false);
  return (
    <>
      <div class="heading">
        <h1>Data sets</h1>
        <button
          type="button"
          class="primary"
          onClick={() => {
            setMapping(true);
          }}
        >
          Map a source
        </button>
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
          <table>
            <thead>
              <tr>
                <th scope="col">Set</th>
                <th scope="col" class="number">
                  Files
                </th>
                <th scope="col" class="number">
                  Packets
                </th>
                <th scope="col">Begins</th>
                <th scope="col">Lasts</th>
                <th scope="col">Kept since</th>
              </tr>
            </thead>
            <tbody>
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
            </tbody>
          </table>
        </Wide>
      )}
      {isMapping && (
        <MapSource
          onClose={() => {
            setMapping(false);
          }}
        />
      )}
    </>
  );
}
