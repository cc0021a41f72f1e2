// The table of everything that can go wrong: code → message, exit code, whether a retry can help, and the way
// out. It owns the wording; nothing else in Capfleet spells out an error text for a person. `{name}` in a message
// or hint is filled from the failure's fields.
import { exitCode, type ExitCode } from './exit-codes.ts';

interface ErrorRow {
  readonly message: string;
  readonly hint: string;
  readonly exit: ExitCode;
  /** The same attempt may succeed later: queue workers retry it with backoff. */
  readonly retryable: boolean;
  /** Status of an answer over HTTP. */
  readonly status: number;
}

/** @param status where it is not the usual one of its kind */
const failed = (message: string, hint: string, status = 422): ErrorRow => ({
  message,
  hint,
  exit: exitCode.failed,
  retryable: false,
  status,
});
const usage = (message: string, hint: string, status = 400): ErrorRow => ({
  message,
  hint,
  exit: exitCode.usage,
  retryable: false,
  status,
});
const passing = (message: string, hint: string): ErrorRow => ({
  message,
  hint,
  exit: exitCode.failed,
  retryable: true,
  status: 503,
});

export const errorTable = {
  // Sources
  'folder-missing': failed('no such folder: {path}', 'check the path given with {setting}'),
  'no-matching-file': failed(
    'no file under {path} matches {filter}',
    'change --file-suffix or --file-regexp; an empty --file-suffix takes every file',
  ),
  'file-missing': failed('no such file: {path}', 'map the folder again if files were moved or removed'),
  'file-special': failed(
    '{path} is neither a file nor a folder',
    'captures are read from regular files; write what comes through a pipe to a file first',
  ),
  'dump-foreign': failed(
    '{path} is there and is no {what}',
    'name another file with {setting}, or move that one away',
  ),
  'file-forbidden': failed(
    'not allowed to read {path}',
    'give the user that runs Capfleet read access to it',
  ),
  'file-changed': failed(
    '{path} is not the file that was mapped: {difference}',
    'map the folder again, then replay with the new dump',
  ),
  'file-outside-roots': failed(
    '{path} is outside of what this service may read',
    'start it with a --root that holds it',
  ),
  'read-failed': passing('reading {path} failed: {reason}', 'check the disk or the network mount'),
  's3-path-invalid': usage(
    '{path} does not name a place in S3',
    'write s3://BUCKET/KEY, with the key as it is, not URL-encoded',
  ),
  's3-credentials': failed(
    'no usable credentials for S3: {reason}',
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --s3-profile, or run where a role is given',
  ),
  's3-denied': failed(
    'S3 refuses {path}: {code}',
    'check whose credentials are used, and the policy of the bucket (docs/s3.md has the least that is needed)',
  ),
  's3-bucket-missing': failed('no such bucket: {bucket}', 'check its name, --s3-endpoint and --s3-region'),
  's3-rejected': failed(
    'S3 does not do what was asked of it for {path}: {reason}',
    'check --s3-endpoint, --s3-region and --s3-path-style',
  ),
  's3-failed': passing(
    'S3 failed at {path}: {reason}',
    'check the network and --s3-endpoint; a server without host names for its buckets needs --s3-path-style',
  ),

  // Captures
  'capture-empty': failed(
    '{path} is empty (0 bytes)',
    'remove it from the set, or find out why nothing was written',
  ),
  'capture-too-short': failed(
    '{path} is too short to be a capture ({size} bytes)',
    'it was probably cut off while it was written or copied',
  ),
  'capture-unknown': failed(
    '{path} is not a capture: it begins with {magic}',
    'Capfleet reads pcap and pcapng, plain or in gzip, zstd, lz4, xz, bzip2; convert others with `editcap`',
  ),
  'capture-unsupported': failed(
    '{path} is {format}, which Capfleet does not read',
    'convert it with `editcap -F pcap`; Capfleet reads pcap and pcapng, plain or in gzip, zstd, lz4, xz, bzip2',
  ),
  'capture-version': failed(
    '{path} has pcap version {version}; only 2.x is known',
    'check where the file comes from',
  ),
  'capture-damaged': failed(
    '{path} is damaged at its begin: {reason}',
    'fetch the file again from where it was recorded',
  ),
  'compression-damaged': failed(
    'the compressed data of {path} are damaged at byte {offset}: {reason}',
    'fetch the file again from where it was recorded',
  ),

  // Tarballs
  'capture-tarball': failed(
    '{path} is a tar archive, not a capture',
    'map it as a source of its own, or extract it with `capfleet tarExtract` first',
  ),
  'tarball-invalid': failed(
    '{path} is not a tar archive: {reason}',
    'tar is read plain or in any compression that Capfleet knows; `file {path}` tells what this is',
  ),
  'tarball-damaged': failed(
    '{path} is damaged at byte {offset} of its plain form: {reason}',
    'what came before is taken; fetch the archive again for the rest',
  ),
  'tarball-compressed': failed(
    '{path} lies in a compressed tarball, which can only be read from its start',
    'extract it, then map the folder: `capfleet tarExtract --in-tarball {tarball} --out-dir DIR`',
  ),
  'no-matching-member': failed(
    'no member of {path} matches {filter}',
    'see what is in it: `capfleet tarExtract --in-tarball {path} --dryrun`',
  ),
  'member-refused': failed(
    '{path}: this member of the tarball is not read: {reason}',
    'only regular files with a relative path are taken from a tarball',
  ),

  // Data sets
  'dump-missing': failed(
    'no such mapping: {path}',
    'write one with `capfleet map --source DIR --dump-json {path}`',
  ),
  'dump-invalid': failed('{path} is not a mapping: {reason}', 'write it anew with `capfleet map`'),
  'dump-unwritable': failed(
    'cannot write {path}: {reason}',
    'choose another place (--dump-json, --out); an old file there is unchanged',
  ),
  'plan-missing': failed(
    'no such plan: {path}',
    'check the path given with --plan; `capfleet plan` writes one',
  ),
  'plan-invalid': failed('{path} is not a plan: {reason}', 'write one with `capfleet plan`'),
  'plan-sensors': usage(
    '{path} is for {count} sensors, and {setting} is for one',
    'give --redis, and start `capfleet replayer` for each of them: {sensors}',
  ),
  'journal-held': failed(
    'process {pid} is mapping into the same dump',
    'wait for it to end, or choose another --dump-json',
  ),
  'journal-failed': failed(
    'the journal of this mapping, {path}, failed: {reason}',
    'make room there, or choose another folder with --state-dir',
  ),
  'dump-conflict': failed(
    'someone else wrote {path} meanwhile',
    'map again (what did not change is not read again), or choose another --dump-json',
  ),
  'set-empty': failed(
    '{path} holds no packet to replay',
    'map a folder that has captures with packets in them',
  ),
  'set-without-duration': failed(
    'all packets of {path} are of one instant; without end they would flood the interface',
    'give a number with --loop-count',
  ),
  'window-empty': usage(
    'nothing of {path} lies between {from} and {to}',
    'the set goes from {earliest} to {latest}',
  ),
  'speed-out-of-range': usage(
    '{period} of packets cannot be played in {duration}',
    'a speed is at most 67 million times faster or slower; for no waiting at all there is --topspeed',
  ),
  'capture-unreadable': failed('{path} cannot be used: {reason}', 'give a capture that `capfleet map` reads'),
  'received-damaged': failed(
    '{path} cannot be held against anything: {message}',
    'capture the far end again, whole',
  ),
  'far-end-failed': failed(
    'capturing on {interface} failed: {reason}',
    'check --verify-interface; capturing needs root or CAP_NET_RAW',
  ),
  'far-end-library': failed(
    'the npm package pcap, which captures, is not built: {reason}',
    "install libpcap's headers (libpcap-dev), then run `npm run build`",
  ),
  'plot-unwritable': failed(
    'cannot write plots into {path}: {reason}',
    'make room or choose another folder; the result above is whole',
  ),
  'nothing-mapped': failed(
    'none of the {files} files could be mapped; first: {reason}',
    'see the list above; `file NAME` tells what a file is',
  ),

  // Replay: plan and sensors
  'sensor-unknown': failed(
    'no agent is registered for sensor {sensor}; registered: {known}',
    'start it on its host: `capfleet replayer --sensor {sensor} --interface IF --redis URL`',
  ),
  'sensor-taken': failed(
    'another agent is running as sensor {sensor}',
    'stop it first or choose another --sensor name',
  ),
  'sensor-busy': failed(
    'sensor {sensor} is busy with run {run}',
    'wait for that run to end (`capfleet replay --when-busy wait` does), or end it with `capfleet stop {run}`',
  ),
  'sensor-lost': failed('sensor {sensor} stopped answering', 'look at the log of its agent'),
  'sensor-refused': failed('sensor {sensor} cannot play: {reason}', '{hint}'),
  'prepare-timeout': failed(
    'sensor {sensor} was not ready within {seconds} s',
    'look at the log of its agent; raise --prepare-timeout for slow storage',
  ),
  'acknowledge-timeout': failed(
    'sensor {sensor} did not acknowledge the start in time; the run is cancelled everywhere',
    'raise --lead',
  ),
  'start-past': failed(
    'the start {start} is past: it is {now}',
    'give a later --start-at, with time for every sensor to prepare',
  ),
  'start-too-soon': failed(
    'the start {start} cannot be met: all sensors were ready at {now}, and a start needs {lead} to reach them',
    'give a later --start-at, or a shorter --lead where the network allows it',
  ),
  'clock-bound': failed(
    'the clock of sensor {sensor} is known only to ±{bound}; the limit is ±{limit}',
    'use a nearer Redis, or raise --max-clock-bound',
  ),
  'system-clock': failed(
    'the start cannot be by the system clock: {reason}',
    'have chrony or PTP discipline it on every sensor, or start by the Redis clock (`--clock redis`, or leave it to `auto`)',
  ),
  'assignment-uncovered': usage(
    '{count} files match no sensor, the first is {path}',
    'add a pattern that takes them, for example --assign "{sensor}=.*"',
  ),
  'root-unused': usage(
    '--root names {root}, and no file lies below it; the first file is {path}',
    'give the beginning of the paths in the mapping, as in --root /mnt/pcap=/data',
  ),
  'assignment-sensor': usage(
    '--assign names sensor {sensor}, which is not among --sensors',
    'add it to --sensors',
  ),
  'start-missed': failed('sensor {sensor} got the start only {milliseconds} ms before it', 'raise --lead'),
  'start-unconfirmed': failed(
    'sensor {sensor} did not hear that every sensor knows the start, and stayed out',
    'look at its connection to Redis; raise --lead',
  ),
  'agent-ended': failed('the replay agent of this host ended before the run did', 'see what it said above'),
  'run-unknown': failed('no run {run} is kept', 'see which there are with `capfleet status`', 404),
  'run-ambiguous': usage('{run} is the beginning of several runs: {runs}', 'give more of the id'),
  'run-conflict': failed(
    'run {run} is kept already, and was asked for otherwise',
    'choose another id, or leave it out',
    409,
  ),
  'run-taken': failed(
    'another coordinator carries run {run} through',
    'see how it does with `capfleet status`',
    409,
  ),
  'run-stopped': failed('run {run} was told to stop before it began', 'start another one'),
  'run-open': failed(
    'run {run} is not over, so that there is no report yet',
    'follow it with GET /v1/runs/{run}/events, whose last event is the report',
    409,
  ),
  'run-unreported': failed(
    'run {run} was told to stop, and no report came',
    'see how it does with `capfleet status`',
  ),
  'run-stale': failed('run {run} was without a coordinator for too long to be started', 'start another one'),
  'run-fenced': failed(
    'run {run} was already played by another agent of sensor {sensor}',
    'a run is never played twice; start a new one',
  ),
  'run-cancelled': failed('the run was cancelled before its start: {reason}', 'see the reason'),

  // Replay: interface and link
  'interface-missing': failed(
    'no interface {interface}; there are: {known}',
    'check --out-interface, and the network namespace',
  ),
  'interface-down': failed('interface {interface} is down', 'bring it up: `ip link set {interface} up`'),
  'interface-default-route': failed(
    'interface {interface} carries the default route of this host',
    'replay into another interface, or add --allow-default-route-interface',
  ),
  'sensor-default-route': failed(
    'interface {interface} carries the default route of this host, which this agent does not send into',
    'start the agent with another --interface, or with --allow-default-route-interface',
  ),
  'interface-link-type': failed(
    '{path} has link type {linkType}; {interface} sends {accepted}',
    'leave the file out with --file-regexp; cooked, raw IP, null and loop captures are turned into Ethernet by --dlt ethernet',
  ),
  'frame-too-large': failed(
    '{path} has a frame of {frame} bytes; {interface} takes {limit} (MTU {mtu})',
    'raise the MTU: `ip link set {interface} mtu {needed}`; or say with --mtu-policy what becomes of such frames',
  ),
  'too-many-open-files': failed(
    '{files} files of the share overlap in time, and this process may have {limit} open',
    'raise the limit: `ulimit -n {needed}`',
  ),
  'raw-socket-forbidden': failed(
    'not allowed to send raw packets on {interface}',
    'run as root, or `setcap cap_net_raw+ep` on the node binary, or use a user namespace: `unshare -Urn`',
  ),
  'realtime-forbidden': failed(
    'the real-time class is not allowed for this process',
    'run as root, or give it CAP_SYS_NICE or an rtprio limit (`ulimit -r 1`); without --realtime it is taken where allowed',
  ),
  'cpu-unavailable': failed(
    'packets cannot be paced on processor {cpu}: {reason}',
    'choose one that this process may run on: `grep Cpus_allowed_list /proc/self/status`',
  ),
  'native-missing': failed(
    'the native pacing core is not built',
    'run `npm run build` where the replayer is installed (needs gcc and make)',
  ),
  'pcap-missing': failed(
    'the npm package pcap is not built, which the link pcap needs',
    'install libpcap-dev, g++, make and python3, then run `npm run build -- --force`; or leave out `pcap:`',
  ),
  'libpcap-missing': failed(
    'libpcap, which compiles filter expressions, cannot be loaded: {reason}',
    'install it (`apt-get install libpcap0.8`), or leave out --out-bpf',
  ),
  'bpf-invalid': usage(
    'libpcap does not compile the filter "{expression}": {reason}',
    'see `man pcap-filter` for the syntax',
  ),
  'link-failed': failed(
    'opening {interface} failed: {reason}',
    'check that it is there, and that this user may write the file or use the interface',
  ),
  'link-file-source': failed(
    '{path} is to be played, and frames written to it would destroy it',
    'write them to another file',
  ),
  'link-file-kind': failed(
    'frames are written to a file or a character device, and {path} is neither',
    'give the path of a file, which another program may follow as it grows: `tail -c +1 -f FILE | tcpdump -r -`',
  ),

  // Infrastructure
  'redis-missing': failed(
    'redis-server is not installed',
    'install it (`apt-get install redis-server`) or give a running one with --redis URL',
  ),
  'redis-start': failed('the private redis-server did not start: {reason}', 'see the reason'),
  'redis-unreachable': passing(
    'cannot reach Redis at {url}: {reason}',
    'check --redis and that the server runs; a certificate of your own authority needs --ca-file',
  ),
  'ca-file-invalid': usage(
    'cannot take authorities for TLS from {path}: {reason}',
    'give a PEM file of certificates with --ca-file',
  ),
  'redis-certificate-invalid': usage(
    'cannot show Redis the certificate {cert} with the key {key}: {reason}',
    'give PEM files that belong together, the key without a passphrase: rediss://HOST?cert=FILE&key=FILE',
  ),
  'redis-forbidden': failed(
    'the user that was given for Redis may not do what is needed: {reason}',
    'give it the rights of its role, as in deploy/redis/users.acl',
  ),
  'redis-refused': failed(
    'Redis takes no more: {reason}',
    'give it memory (maxmemory) or room on its disk, or find out what fills it; of a replica, name the master instead',
  ),
  'redis-foreign': failed(
    'what lies in Redis is not what Capfleet keeps there: {reason}',
    'see who else writes to this Redis, and give each role its own user, as in deploy/redis/users.acl',
    500,
  ),
  'result-invalid': failed(
    'the result for {path} is none that this coordinator reads: {reason}',
    'run coordinator and mappers of one version',
  ),
  'mappers-ended': failed(
    'every mapper of this command ended again and again',
    'see above what they said, and which file they had; leave it out with --file-regexp',
  ),
  'no-mapper': failed(
    'no mapper took a job within {seconds} s',
    'start one: `capfleet mapper --redis {url}`, or raise --worker-timeout',
  ),
  'worker-crashed': failed(
    'the mapper stopped {times} times while it read {path}',
    'look at the log of the mapper; the file may make it run out of memory',
  ),
  'job-invalid': failed(
    'a job in queue {queue} does not fit its schema: {reason}',
    'see who else writes to this Redis',
  ),

  // The coordinator as a service
  'token-missing': usage(
    'no token is given for the coordinator',
    'set CAPFLEET_TOKEN, or write it to a file for --token-file; a new one: `openssl rand -hex 32`',
  ),
  'token-file': usage(
    'no token is read from {path}: {reason}',
    'check the path given with --token-file; a new one: `openssl rand -hex 32 > FILE && chmod 600 FILE`',
  ),
  'token-unusable': usage(
    'the token of {place} cannot be used: {reason}',
    'a new one: `openssl rand -hex 32`',
  ),
  'token-refused': failed(
    'the token is missing or wrong',
    'send that of the coordinator, as in `Authorization: Bearer …`; `capfleet` takes it from CAPFLEET_TOKEN or --token-file',
    401,
  ),
  'token-tries': failed(
    'too many requests without the right token',
    'wait {seconds} s, and send that of the coordinator',
    429,
  ),
  'set-unknown': failed('no set {set} is kept', 'GET /v1/sets says which there are', 404),
  'plan-unknown': failed('no plan {plan} is kept', 'GET /v1/plans says which there are', 404),
  'map-unknown': failed('no mapping {map} is kept', 'GET /v1/maps says which there are', 404),
  'map-taken': failed(
    'another coordinator carries mapping {map} through',
    'GET /v1/maps/{map} says how it does',
    409,
  ),
  'map-stopped': failed('mapping {map} was told to stop', 'its set stays as it was; ask for another mapping'),
  'listen-failed': failed(
    'cannot listen on {address}: {reason}',
    'choose another address with {setting}, as in {setting} 127.0.0.1:8470',
  ),
  'service-unready': passing('the {service} is {state}', 'wait for it, or ask another one'),
  'coordinator-unreachable': passing(
    'cannot reach the coordinator at {url}: {reason}',
    'check --coordinator, and that `capfleet coordinator` runs there',
  ),
  'coordinator-answer': failed(
    'what answers at {url} is no coordinator of this version: {reason}',
    'check --coordinator, and any proxy before it',
  ),
  'request-invalid': usage('the request is not understood: {reason}', 'GET /openapi.json says what is'),
  'request-too-large': usage('the body of the request is larger than {limit} bytes', 'send less', 413),
  'content-type-unknown': usage(
    'the body of the request is {type}, which is not read here',
    'send JSON, with `Content-Type: application/json`',
    415,
  ),
  'route-unknown': usage('there is no {path}', 'GET /openapi.json says what there is', 404),
  'method-unknown': usage('{path} does not take {method}', 'it takes {known}', 405),

  // Extracted files
  'output-exists': failed(
    '{path} exists already',
    'choose another --out or --out-dir, or replace it with --overwrite',
  ),
  'output-blocked': failed('{path} is not written: {reason}', 'choose another --out-dir'),
  'output-unwritable': failed(
    'cannot write {path}: {reason}',
    'make room or choose another --out-dir; what was written before is whole',
  ),

  'preload-too-large': failed(
    '{files} files of the share have {bytes} bytes together; {limit} may be read into memory before the start',
    'allow more, as in --preload 4GiB, or do without it',
  ),
  'capture-unwritable': failed(
    'cannot write {path}: {reason}',
    'make room, or choose another file with --write; an old file there is unchanged',
  ),
  'stamp-unwritable': failed(
    'a packet is due at {time}, and a pcap holds times from 1970 to 2106',
    'end the replay before that with --duration, or play it faster',
  ),

  // Edited files
  'edit-link-type': failed(
    '{path} has link type {linkType}; edited captures are Ethernet',
    'cooked, raw IP, null and loop captures are turned into Ethernet by --dlt ethernet; others are not',
  ),
  'edit-failed': failed(
    'none of the {files} captures could be edited; first: {reason}',
    'see the list above',
  ),

  // Command line
  'config-unreadable': usage(
    'cannot read the options in {path}: {reason}',
    'check the path given with --config',
  ),
  'config-invalid': usage(
    'the options in {path} are not used: {reason}',
    'its keys are the names of the flags, as in `time-modifier: 2`',
  ),
  'environment-invalid': usage(
    'the options in the environment are not used: {reason}',
    'unset it, or see `capfleet {command} --help`',
  ),
  'setting-missing': usage('{setting} is needed {why}', 'see `capfleet {command} --help`'),
  'setting-invalid': usage('{setting}: {reason}', 'see `capfleet {command} --help`'),
  internal: failed('internal error: {reason}', 'this is a bug; please report it with the log', 500),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;
