/**
 * Answers DNS queries on UDP port 53 of one address after a few milliseconds, and takes log lines on port 514
 * without an answer. Argument: address. Writes "ready" when both listen; runs until it is killed.
 */
import { createSocket } from 'node:dgram';
import { dnsAnswer } from './dns-message.ts';

const [address = ''] = process.argv.slice(2);
const names = createSocket('udp4');
const logs = createSocket('udp4');

names.on('message', (query, from) => {
  if (query.length < 12) return;
  const id = query.readUInt16BE(0);
  setTimeout(() => names.send(dnsAnswer(query, 1 + (id % 8)), from.port, from.address), id % 10);
});
names.bind(53, address, () => {
  logs.bind(514, address, () => process.stdout.write('ready\n'));
});
