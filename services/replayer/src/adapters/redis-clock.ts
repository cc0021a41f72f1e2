// Measures this host's monotonic clock against Redis TIME, the clock that all sensors share.
import type { ClockFacts } from '@capfleet/shared/contract/report';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { estimateOffset, type ClockProbe } from '@capfleet/shared/time/clock-offset';
import { MICROSECOND, SECOND } from '@capfleet/shared/time/nanos';

const PROBES = 60;

/** `process.hrtime` is CLOCK_MONOTONIC on Linux, the clock that the pacer runs on. */
export async function measureRedisClock(redis: string, log: Logger): Promise<ClockFacts> {
  const client = connect(redis, 'clock', log);
  try {
    const probes: ClockProbe[] = [];
    await client.time();
    for (let count = 0; count < PROBES; count += 1) {
      const sent = process.hrtime.bigint();
      const [seconds = 0, micros = 0] = await client.time();
      const received = process.hrtime.bigint();
      probes.push({ sent, received, reference: BigInt(seconds) * SECOND + BigInt(micros) * MICROSECOND });
    }
    const { offset, bound, roundTrip } = estimateOffset(probes, MICROSECOND);
    return { offset: String(offset), bound: String(bound), roundTrip: String(roundTrip), probes: PROBES };
  } finally {
    client.disconnect();
  }
}
