/** A real Redis Cluster of three masters, and one replica of the one that has Capfleet's keys. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { PREFIX } from '@capfleet/shared/contract/keys';
import { freePorts, startRedisProcess } from './redis-processes.ts';
import type { AfterHook } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const SLOTS = 16_384;
const MASTERS = 3;

export interface ClusterServer {
  readonly port: number;
  readonly process: ChildProcess;
  /** May do everything there. */
  readonly admin: Redis;
}

export interface RedisCluster {
  /** HOST:PORT of all. */
  readonly hosts: readonly string[];
  readonly servers: readonly ClusterServer[];
  /** Its master that has Capfleet's keys. */
  readonly owner: ClusterServer;
  /** That one's replica. */
  readonly replica: ClusterServer;
}

export interface RedisClusterOptions {
  /** Users beside the one of the test, as lines of a redis.conf. */
  readonly users?: readonly string[];
  /** ms until a server that does not answer is held to be away. */
  readonly nodeTimeout?: number;
}

export async function startRedisCluster(
  t: AfterHook,
  folder: string,
  { users = [], nodeTimeout = 1000 }: RedisClusterOptions = {},
): Promise<RedisCluster> {
  const ports = await freePorts(2 * (MASTERS + 1));
  const servers = Array.from({ length: MASTERS + 1 }, (_, index): ClusterServer => {
    const [port = 0, bus = 0] = ports.slice(2 * index);
    const lines = [
      `port ${String(port)}`,
      `cluster-port ${String(bus)}`,
      'cluster-enabled yes',
      `cluster-node-timeout ${String(nodeTimeout)}`,
      'repl-diskless-sync-delay 0',
      'save ""',
      'maxmemory-policy noeviction',
      'user test on >of-the-test ~* &* +@all',
      'masteruser test',
      'masterauth of-the-test',
      ...users,
    ];
    const process = startRedisProcess(t, join(folder, `server-${String(index)}`), lines);
    const admin = new Redis({ port, username: 'test', password: 'of-the-test', maxRetriesPerRequest: null });
    admin.on('error', () => undefined);
    t.after(async () => {
      admin.disconnect();
    });
    return { port, process, admin };
  });
  const masters = servers.slice(0, MASTERS);
  const replica = servers[MASTERS]!;
  const share = Math.ceil(SLOTS / MASTERS);
  const slot = await replica.admin.cluster('KEYSLOT', PREFIX);
  const owner = masters[Math.floor(slot / share)]!;
  for (const [index, { admin }] of masters.entries()) {
    const last = Math.min(SLOTS, (index + 1) * share) - 1;
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', index * share, last);
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const [index, server] of servers.entries()) {
    if (server === owner) continue;
    await owner.admin.call('CLUSTER', 'MEET', '127.0.0.1', server.port, ports[2 * index + 1]!);
  }
  const owns = String(await owner.admin.call('CLUSTER', 'MYID'));
  await waitFor('the replica knows its master', () => replica.admin.call('CLUSTER', 'REPLICATE', owns));
  await waitFor('the replica follows', () => follows(replica));
  await waitFor('all know all', async () => {
    const told = servers.map(async ({ admin }) => {
      const state = await admin.cluster('INFO');
      return state.includes('cluster_state:ok') && String(await admin.cluster('NODES')).includes(` ${owns} `);
    });
    return (await Promise.all(told)).every((knows) => knows);
  });
  return { hosts: servers.map(({ port }) => `127.0.0.1:${String(port)}`), servers, owner, replica };
}

export async function isMaster({ admin }: ClusterServer): Promise<boolean> {
  return (await admin.info('replication')).includes('role:master');
}

export async function follows({ admin }: ClusterServer): Promise<boolean> {
  return (await admin.info('replication')).includes('master_link_status:up');
}
