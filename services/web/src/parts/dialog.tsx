// Dialogs: the browser's own, which keep the focus and close with Escape.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Refused } from '../api/client.ts';
import { Problem } from './status.tsx';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    place.current?.showModal();
  }, []);
  return (
    <dialog ref={place} onClose={onClose} aria-labelledby="dialog-title">
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export interface ConfirmProps extends DialogProps {
  readonly action: string;
  readonly isDangerous?: boolean;
  /** The dialog stays open while it goes on, and where it is refused. */
  readonly onConfirm: () => Promise<void>;
}

/** Asks before something is done. */
export function Confirm({ action, isDangerous = false, onConfirm, ...dialog }: ConfirmProps) {
  const { busy, refused, run } = useAction(onConfirm);
  return (
    <Dialog title={dialog.title} onClose={dialog.onClose}>
      {dialog.children}
      <Problem refused={refused} />
      <p class="actions">
        <button type="button" onClick={dialog.onClose}>
          Cancel
        </button>
        <button type="button" class={isDangerous ? 'danger' : 'primary'} disabled={busy} onClick={run}>
          {action}
        </button>
      </p>
    </Dialog>
  );
}

/** Something that is done once at a time, and may be refused. */
export function useAction(act: () => Promise<void>): {
  readonly busy: boolean;
  readonly refused: Refused | null;
  readonly run: () => void;
} {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const run = (): void => {
    if (busy) return;
    setBusy(true);
    setRefused(null);
    act()
      .catch((error: unknown) => {
        setRefused(error instanceof Refused ? error : new Refused(0, String(error)));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return { busy, refused, run };
}
