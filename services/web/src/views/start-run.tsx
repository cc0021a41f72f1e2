// Starts a run: first what is to be played by whom, then, with the plan that came of it, whether it shall be sent.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import type { PlanSummary, SetInfo } from '@capfleet/shared/contract/api';
import { useState } from 'preact/hooks';
import { Refused } from '../api/refused.ts';
import { useApi, useClient } from '../api/use-api.ts';
import { count, duration, plural } from '../format.ts';
import { newId } from '../new-id.ts';
import { Dialog, useAction, type Action } from '../parts/dialog.tsx';
import { Problem, State, Table, Waiting, Wide } from '../parts/status.tsx';
import { placesOf, type Place } from '../what-is-sent.ts';

/** A set of a hundred thousand files takes some seconds. */
const PLANNING_MS = 300_000;

/** Nothing is left of a plan that nobody decides on. */
const PLAN_KEPT = '1h';

const SENSORS_MS = 3000;

const rules = [
  ['lane', 'by lane: what one capture thread wrote stays together'],
  ['folder', 'by folder: each folder to one sensor'],
  ['size', 'by size: files spread evenly'],
  ['flow', 'by flow: each conversation on one sensor'],
] as const;

interface Wishes {
  readonly set: string;
  readonly sensors: readonly string[];
  readonly rule: string;
  readonly speed: string;
  readonly loops: number;
  readonly lead: string;
}

export interface StartRunProps {
  /** Null: it is chosen here. */
  readonly set: string | null;
  readonly onClose: () => void;
}

export function StartRun({ set, onClose }: StartRunProps) {
  const client = useClient();
  const [wishes, setWishes] = useState<Wishes>({
    set: set ?? '',
    sensors: [],
    rule: 'lane',
    speed: '1',
    loops: 1,
    lead: '2s',
  });
  const [plan, setPlan] = useState<PlanSummary | null>(null);
  // Of the run that the plan becomes: with it the same start can be asked for again.
  const [run, setRun] = useState('');
  const forget = (made: PlanSummary): void => {
    // The run has a copy of its own; who leaves takes the plan along.
    client.remove(`plans/${made.plan}`).catch(() => undefined);
  };
  const planning = useAction(async () => {
    const { set: name, sensors, rule, speed, loops } = wishes;
    const request = { sensors, rule: { by: rule }, speed, loops };
    const body = { plan: `page-${newId()}`, set: name, request, keepFor: PLAN_KEPT };
    const inDoubt = 'Nothing was sent. Review it again.';
    setPlan(await client.post<PlanSummary>('plans?answer=summary', body, inDoubt, { withinMs: PLANNING_MS }));
    setRun(newId());
  });
  const starting = useAction(async () => {
    if (!plan) return;
    const body = { run, plan: plan.plan, settings: { lead: wishes.lead } };
    const inDoubt =
      'Whether the run began is not known. Start it again, which makes no second one, or look under Runs.';
    await client.post('runs', body, inDoubt).catch((error: unknown) => {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      throw new Refused(404, 'The plan is not kept any more.', 'Go back, and review it again.');
    });
    forget(plan);
    location.hash = `#/runs/${run}`;
    onClose();
  });
  if (plan) {
    return (
      <Confirm
        plan={plan}
        wishes={wishes}
        starting={starting}
        onBack={() => {
          forget(plan);
          setPlan(null);
        }}
        onClose={() => {
          forget(plan);
          onClose();
        }}
      />
    );
  }
  return (
    <Dialog key="wishes" title="Replay a set" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          planning.run();
        }}
      >
        <Fields wishes={wishes} onChange={setWishes} isFixed={set !== null} />
        <Problem refused={planning.refused} />
        <p class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={planning.busy || wishes.sensors.length === 0}>
            Review
          </button>
        </p>
      </form>
    </Dialog>
  );
}

interface FieldsProps {
  readonly wishes: Wishes;
  readonly onChange: (wishes: Wishes) => void;
  readonly isFixed: boolean;
}

function Fields({ wishes, onChange, isFixed }: FieldsProps) {
  const sets = useApi<{ sets: SetInfo[] }>(isFixed ? null : 'sets');
  const text = (name: 'speed' | 'lead') => ({
    value: wishes[name],
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
      onChange({ ...wishes, [name]: currentTarget.value });
    },
  });
  return (
    <>
      {isFixed ? (
        <p>
          Set <strong>{wishes.set}</strong>
        </p>
      ) : (
        <label>
          Set
          <select
            required
            value={wishes.set}
            onChange={({ currentTarget }) => {
              onChange({ ...wishes, set: currentTarget.value });
            }}
          >
            <option value="">choose a set</option>
            {sets.data?.sets.map(({ set }) => (
              <option key={set} value={set}>
                {set}
              </option>
            ))}
          </select>
        </label>
      )}
      <SensorChoice
        chosen={wishes.sensors}
        onChange={(sensors) => {
          onChange({ ...wishes, sensors });
        }}
      />
      <label>
        Shared out
        <select
          value={wishes.rule}
          onChange={({ currentTarget }) => {
            onChange({ ...wishes, rule: currentTarget.value });
          }}
        >
          {rules.map(([rule, words]) => (
            <option key={rule} value={rule}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <div class="fields">
        <label>
          Speed
          <input required aria-describedby="speed-help" {...text('speed')} />
        </label>
        <label>
          Loops
          <input
            type="number"
            min="0"
            required
            value={wishes.loops}
            aria-describedby="speed-help"
            onInput={({ currentTarget }) => {
              onChange({ ...wishes, loops: currentTarget.valueAsNumber });
            }}
          />
        </label>
        <label>
          Lead
          <input required aria-describedby="speed-help" {...text('lead')} />
        </label>
      </div>
      <p id="speed-help" class="quiet">
        A speed of 2 takes half the time, 1/3 three times as long. 0 loops are without end. The lead, such as
        2s, is the time from when all sensors are ready to the start.
      </p>
    </>
  );
}

interface SensorChoiceProps {
  readonly chosen: readonly string[];
  readonly onChange: (sensors: string[]) => void;
}

function SensorChoice({ chosen, onChange }: SensorChoiceProps) {
  const { data, refused } = useApi<{ sensors: Registration[] }>('sensors', SENSORS_MS);
  return (
    <fieldset>
      <legend>Sensors</legend>
      <Problem refused={refused} />
      {data === null && !refused && <Waiting what="sensors" />}
      {data?.sensors.length === 0 && <p>No sensor is registered.</p>}
      {data?.sensors.map(({ sensor, interface: name, up, busyWith }) => (
        <label key={sensor} class="check">
          <input
            type="checkbox"
            checked={chosen.includes(sensor)}
            onChange={({ currentTarget }) => {
              onChange(
                currentTarget.checked ? [...chosen, sensor] : chosen.filter((each) => each !== sensor),
              );
            }}
          />
          {sensor}, {name} <State word={up ? 'up' : 'down'} /> {busyWith === null ? '' : 'busy'}
        </label>
      ))}
    </fieldset>
  );
}

interface ConfirmProps {
  readonly plan: PlanSummary;
  readonly wishes: Wishes;
  readonly starting: Action;
  readonly onBack: () => void;
  readonly onClose: () => void;
}

function Confirm({ plan, wishes, starting, onBack, onClose }: ConfirmProps) {
  const { data, refused } = useApi<{ sensors: Registration[] }>('sensors', SENSORS_MS);
  const names = plan.sensors.map(({ sensor }) => sensor);
  const places = placesOf(names, data?.sensors ?? null, refused !== null);
  const isKnown = places.every((place) => place.isKnown);
  return (
    <Dialog key="confirm" title="Send these packets?" onClose={onClose}>
      <Plan plan={plan} wishes={wishes} places={places} />
      <Problem refused={refused} />
      <Problem refused={starting.refused} />
      <p class={isKnown ? 'unseen' : 'quiet'} id="confirm-help" role="status">
        {isKnown ? '' : 'It can be started once the interface of every sensor is known.'}
      </p>
      <p class="actions">
        <button type="button" onClick={onBack}>
          Back
        </button>
        <button
          type="button"
          class="danger"
          aria-describedby="confirm-help"
          disabled={starting.busy || !isKnown}
          onClick={starting.run}
        >
          Start replay
        </button>
      </p>
    </Dialog>
  );
}

interface PlanProps {
  readonly plan: PlanSummary;
  readonly wishes: Wishes;
  readonly places: readonly Place[];
}

function Plan({ plan, wishes, places }: PlanProps) {
  const length =
    plan.loops === 0
      ? 'without end, until it is stopped'
      : plan.length === '0'
        ? 'for as long as that takes'
        : `within ${duration(plan.length)}`;
  return (
    <>
      <p>
        The packets of <strong>{plan.set}</strong> go out on the interfaces below, {length}, at speed{' '}
        {wishes.speed}, {wishes.lead} after all sensors are ready.
      </p>
      <Wide label="What is sent where">
        <Table columns={['Sensor', 'Interface', { number: 'Files' }, { number: 'Packets' }]}>
          {plan.sensors.map(({ sensor, files, packets }, index) => (
            <tr key={sensor}>
              <th scope="row">{sensor}</th>
              <td>{places[index]?.text}</td>
              <td class="number">{count(files)}</td>
              <td class="number">{plan.byFlow ? 'its share' : count(packets)}</td>
            </tr>
          ))}
        </Table>
      </Wide>
      {plan.byFlow && (
        <p>
          {plural(plan.sensors[0]?.packets ?? 0, 'packet')} are shared among the sensors by their
          conversations.
        </p>
      )}
    </>
  );
}
