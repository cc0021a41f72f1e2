// Asks for a mapping: which source becomes which set.
import { useState } from 'preact/hooks';
import { useClient } from '../api/use-api.ts';
import { Dialog, useAction } from '../parts/dialog.tsx';
import { Problem } from '../parts/status.tsx';

export function MapSource({ onClose }: { readonly onClose: () => void }) {
  const client = useClient();
  const [asked, setAsked] = useState({
    source: '',
    set: '',
    suffix: 'pcap.gz',
    quick: false,
    workerTimeout: '15m',
  });
  const { busy, refused, run } = useAction(async () => {
    const inDoubt = 'Whether it began is not known. Look under Mappings before you ask again.';
    const { record } = await client.post<{ record: { map: string } }>('maps', asked, inDoubt);
    location.hash = `#/maps/${record.map}`;
  });
  const text = (name: 'source' | 'set' | 'suffix' | 'workerTimeout') => ({
    value: asked[name],
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
      setAsked({ ...asked, [name]: currentTarget.value });
    },
  });
  return (
    <Dialog title="Map a source" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <label>
          Source
          <input required placeholder="/mnt/pcap or s3://bucket/prefix" {...text('source')} />
        </label>
        <label>
          Becomes the set
          <input required pattern="\w[\w.\-]{0,63}" aria-describedby="set-help" {...text('set')} />
        </label>
        <p id="set-help" class="quiet">
          Letters, digits, “.”, “_”, “-”. A set of that name is replaced once all is mapped.
        </p>
        <label>
          Only files that end with
          <input placeholder="all files" {...text('suffix')} />
        </label>
        <label>
          Wait for mappers
          <input required aria-describedby="wait-help" {...text('workerTimeout')} />
        </label>
        <p id="wait-help" class="quiet">
          Such as 90s or 15m. Where no mapper runs until there is work, one has to be started first.
        </p>
        <label class="check">
          <input
            type="checkbox"
            checked={asked.quick}
            onChange={({ currentTarget }) => {
              setAsked({ ...asked, quick: currentTarget.checked });
            }}
          />
          Quick: estimate uncompressed captures from their two ends
        </label>
        <Problem refused={refused} />
        <p class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy}>
            Map
          </button>
        </p>
      </form>
    </Dialog>
  );
}
