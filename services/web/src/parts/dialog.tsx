// Dialogs: the browser's own, which keep the focus and close with Escape.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Refused } from '../api/refused.ts';
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

/** A button, and the dialog that it opens and that closes itself. */
export function Opener({
  label,
  disabled = false,
  look = 'primary',
  children,
}: {
  readonly label: string;
  readonly disabled?: boolean;
  readonly look?: 'primary' | 'danger';
  readonly children: (close: () => void) => ComponentChildren;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={look}
        disabled={disabled}
        onClick={() => {
          setOpen(true);
        }}
      >
        {label}
      </button>
      {isOpen &&
        children(() => {
          setOpen(false);
        })}
    </>
  );
}

/** Told where no answer came to that. */
export const stopInDoubt = 'Whether that was heard is not known. Stop it again: that does no harm.';

/** A button that stops something, which asks first. The dialog stays open while it goes on, and where it is refused. */
export function Stopper({
  what,
  disabled = false,
  onStop,
  children,
}: {
  readonly what: string;
  readonly disabled?: boolean;
  readonly onStop: () => Promise<void>;
  readonly children: ComponentChildren;
}) {
  return (
    <Opener label="Stop" look="danger" disabled={disabled}>
      {(close) => (
        <Confirm what={what} onClose={close} onStop={onStop}>
          {children}
        </Confirm>
      )}
    </Opener>
  );
}

function Confirm({
  what,
  onStop,
  onClose,
  children,
}: {
  readonly what: string;
  readonly onStop: () => Promise<void>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const { busy, refused, run } = useAction(async () => {
    await onStop();
    onClose();
  });
  return (
    <Dialog title={`Stop this ${what}?`} onClose={onClose}>
      {children}
      <Problem refused={refused} />
      <p class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="danger" disabled={busy} onClick={run}>
          Stop {what}
        </button>
      </p>
    </Dialog>
  );
}

/** Something that is done once at a time, and may be refused. */
export interface Action {
  readonly busy: boolean;
  readonly refused: Refused | null;
  readonly run: () => void;
}

export function useAction(act: () => Promise<void>): Action {
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
