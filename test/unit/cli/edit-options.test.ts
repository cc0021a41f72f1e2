// What is typed to edit frames, as the plan that it becomes, and what is refused in which words.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { editCommand } from '@capfleet/cli/commands/edit';
import { editsOf, type EditOptions } from '@capfleet/cli/edit-options';
import { editPlanSchema, noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';

function parse(...args: string[]): EditPlan {
  const command = editCommand(() => Promise.resolve()).exitOverride();
  command.configureOutput({ writeErr: () => undefined });
  command.parse(['--source', 'a', '--out', 'b', ...args], { from: 'user' });
  return editsOf(command.opts<EditOptions>());
}

/** What is typed, and what differs from a plan without edits. */
const taken: [args: string[], plan: Partial<EditPlan>][] = [
  [[], {}],
  [['--dlt', 'ethernet'], { toEthernet: true }],
  [['--mac-src', '02-AA-00-00-00-01'], { macSource: '02:aa:00:00:00:01' }],
  [['--mac-dst', '02:aa:00:00:00:01'], { macDestination: '02:aa:00:00:00:01' }],
  [
    ['--mac-map', '02:00:00:00:00:01=02:00:00:00:00:02', '--mac-map', '02:00:00:00:00:03=02:00:00:00:00:04'],
    {
      macMap: [
        { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' },
        { from: '02:00:00:00:00:03', to: '02:00:00:00:00:04' },
      ],
    },
  ],
  [['--vlan-strip'], { vlanStrip: true }],
  [['--vlan-map', '10=20'], { vlanMap: [{ from: 10, to: 20 }] }],
  [['--vlan-add', '100'], { vlanAdd: { id: 100, priority: 0, type: '802.1Q' } }],
  [['--vlan-add', '100:7'], { vlanAdd: { id: 100, priority: 7, type: '802.1Q' } }],
  [['--vlan-add', '0@8021ad'], { vlanAdd: { id: 0, priority: 0, type: '802.1ad' } }],
  [
    ['--ip-map', '10.0.0.0/8=11.0.0.0/8', '--ip-map', 'fd00::/8=2000::/8'],
    {
      ipMap: [
        { from: '10.0.0.0/8', to: '11.0.0.0/8' },
        { from: 'fd00::/8', to: '2000::/8' },
      ],
    },
  ],
  [
    ['--port-map', '80=8080', '--port-map', '8000-8999=80'],
    {
      portMap: [
        { from: 80, through: 80, to: 8080 },
        { from: 8000, through: 8999, to: 80 },
      ],
    },
  ],
  [['--ttl', '64'], { ttl: { kind: 'set', value: 64 } }],
  [['--ttl', '+1'], { ttl: { kind: 'add', value: 1 } }],
  [['--ttl', '-3'], { ttl: { kind: 'add', value: -3 } }],
  [['--pktlen', '--fix-checksums'], { padToWire: true, fixChecksums: true }],
];

const refused: [args: string[], said: RegExp][] = [
  [['--dlt', 'raw'], /Allowed choices are ethernet/],
  [['--mac-src', '2:0:0:0:0:1'], /"2:0:0:0:0:1" is no MAC address such as 02:/],
  [['--mac-map', '02:00:00:00:00:01'], /is not of the form old=new/],
  [['--mac-map', '=02:00:00:00:00:01'], /is not of the form old=new/],
  [['--vlan-add', '5000'], /"5000" is no VLAN id from 0 to 4095/],
  [['--vlan-add', '1:8'], /"8" is no priority from 0 to 7/],
  [['--vlan-add', '1@8021x'], /is no VLAN tag such as 100, 100:5 or 100:5@8021ad/],
  [['--vlan-map', '1=2', '--vlan-strip'], /cannot be used with option '--vlan-strip'/],
  [['--ip-map', '10.0.0.0/8=11.0.0.0/16'], /cannot be mapped: \/8 and \/16 are of two lengths/],
  [['--ip-map', '10.0.0.0/8=fd00::/8'], /one is IPv4, the other IPv6/],
  [['--ip-map', 'ten=11.0.0.0/8'], /ten is no prefix/],
  [['--port-map', '80=70000'], /"70000" is no port from 0 to 65535/],
  [['--port-map', '90-80=1'], /"90-80" is no range of ports such as 8000-8999/],
  [['--port-map', '1-2-3=1'], /is no range of ports/],
  [['--ttl', '0'], /"0" is no TTL from 1 to 255/],
  [['--ttl', '300'], /"300" is no TTL/],
];

describe('the options of edits', () => {
  for (const [args, plan] of taken)
    test(`take ${args.join(' ') || 'nothing'}`, () => {
      const parsed = parse(...args);
      assert.deepEqual(parsed, { ...noEdits, ...plan });
      assert.ok(editPlanSchema.safeParse(parsed).success);
    });

  for (const [args, said] of refused)
    test(`refuse ${args.join(' ')}`, () => {
      assert.throws(() => parse(...args), said);
    });
});
