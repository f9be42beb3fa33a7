import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { type Ssh2Options, ssh2Transport } from '../../src/transport/ssh2/ssh2.ts';
import type { Connected, Failed } from '../../src/transport/transport.ts';
import { connected, never, run } from '../contract/transport.contract.ts';
import { connectionOf, faultOf, silent } from './dialling.ts';
import { freePort, knownLine, noSshd, type Sshd, scratch, startSshd } from './openssh.ts';
import { startTcp } from './server.ts';

const files = scratch();
const key = files.key('id');
const open: { close(): void }[] = [];
function keep<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}
afterAll(() => {
  for (const one of open.toReversed()) one.close();
  files.close();
});

function targetOf(host: string, { port, user }: { port: number; user: string }, more: Partial<Target> = {}): Target {
  return { host, address: '127.0.0.1', port, user, identityFiles: [key], identitiesOnly: true, ...more };
}

const behind = (via: Target): Partial<Target> => ({ proxy: { kind: 'jump', via } });

let made = 0;
function transportFor(
  servers: readonly { port: number; hostKeys: readonly string[] }[],
  more: Partial<Ssh2Options> = {},
) {
  const lines = servers.flatMap(({ port, hostKeys }) => hostKeys.map((hostKey) => knownLine(port, hostKey)));
  return keep(
    ssh2Transport({
      connectTimeoutMs: 15_000,
      hostKeyChecking: 'strict',
      knownHostsFiles: [files.write(`known_${++made}`, lines.join(''))],
      keys: keyRing({}),
      ...more,
    }),
  );
}

const logins = (sshd: Sshd): number => sshd.log().split('Accepted publickey').length - 1;

/** A way to a server that can be cut, and is there again for whoever comes next. */
async function startCutter(to: number) {
  const sockets = new Set<Socket>();
  const tcp = await startTcp((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
    near.pipe(far).pipe(near);
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return keep({ ...tcp, cut });
}

describe.skipIf(noSshd !== undefined)('a jump host', () => {
  let host: Sshd;
  let bastion: Sshd;
  let second: Sshd;
  beforeAll(async () => {
    host = keep(await startSshd(files, [key], ['MaxStartups 4:100:4']));
    bastion = keep(await startSshd(files, [key], ['MaxSessions 10', 'MaxStartups 2:100:2']));
    second = keep(await startSshd(files, [key]));
  });

  it('is logged in to once for 40 hosts at once, in spite of MaxSessions 10 and a low MaxStartups', async () => {
    const transport = transportFor([host, bastion]);
    const before = logins(bastion);
    const via = targetOf('bastion', bastion);
    const names = Array.from({ length: 40 }, (_, index) => `host${index}`);
    const outputs = await Promise.all(
      names.map(async (name) => {
        const connection = await connected(transport, targetOf(name, host, behind(via)));
        const { stdout } = await run(connection, `echo ${name}`);
        return stdout.toString().trim();
      }),
    );
    expect(outputs).toEqual(names);
    expect(logins(bastion) - before).toBe(1);
  });

  it('may be behind another, and each key is checked', async () => {
    const first = targetOf('first', bastion);
    const via = targetOf('second', second, behind(first));
    const target = targetOf('host', host, behind(via));
    const connection = await connected(transportFor([host, bastion, second]), target);
    expect((await run(connection, 'echo through')).stdout.toString()).toBe('through\n');
    const doubtful = faultOf(await transportFor([host, bastion]).connect(target, never()));
    expect(doubtful).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^The jump host second cannot be used: Unknown host key/),
    });
  });

  it('with a wrong host key is named, and asked once for all hosts', async () => {
    const impostor = { port: bastion.port, hostKeys: second.hostKeys };
    const transport = transportFor([host, impostor]);
    const before = bastion.log().split('Connection from').length;
    const via = targetOf('bastion', bastion);
    for (const name of ['one', 'two', 'three']) {
      const fault = faultOf(await transport.connect(targetOf(name, host, behind(via)), never()));
      expect(fault).toMatchObject({ kind: 'host-key', message: expect.stringMatching(/jump host bastion.*CHANGED/) });
    }
    expect(bastion.log().split('Connection from').length - before).toBe(1);
  });

  it('that does not let us in is named, and asked once for all hosts', async () => {
    const transport = transportFor([host, bastion]);
    const via = targetOf('bastion', bastion, { identityFiles: [files.key('stranger')] });
    const faults = await Promise.all(
      ['one', 'two'].map(async (name) => faultOf(await transport.connect(targetOf(name, host, behind(via)), never()))),
    );
    for (const fault of faults) {
      expect(fault).toMatchObject({ kind: 'auth', message: expect.stringMatching(/jump host bastion.*not let in/) });
    }
  });

  it('that is not there is named', async () => {
    const via = targetOf('bastion', { port: await freePort(), user: 'nobody' });
    const fault = faultOf(await transportFor([host]).connect(targetOf('host', host, behind(via)), never()));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/jump host bastion.*refused/) });
  });

  it('that forbids forwarding is quoted', async () => {
    const strict = keep(await startSshd(files, [key], ['AllowTcpForwarding no']));
    const via = targetOf('strict', strict);
    const fault = faultOf(await transportFor([host, strict]).connect(targetOf('host', host, behind(via)), never()));
    expect(fault).toMatchObject({
      kind: 'unreachable',
      message: expect.stringMatching(/through strict.*open failed.*AllowTcpForwarding/),
    });
  });

  it('that is lost in mid-run is named to all it carried, and logged in to again', async () => {
    const cutter = await startCutter(bastion.port);
    const transport = transportFor([host, { port: cutter.port, hostKeys: bastion.hostKeys }]);
    const via = targetOf('bastion', { port: cutter.port, user: bastion.user });
    const target = (name: string) => targetOf(name, host, behind(via));
    const connections = await Promise.all(['a', 'b', 'c'].map((name) => connected(transport, target(name))));
    const running = connections.map((connection) => connection.exec('sleep 60', silent));
    await pause(100);
    cutter.cut();
    for (const ended of await Promise.all(running.map((one) => one.ended))) {
      expect(ended).toMatchObject({ how: 'lost', why: expect.stringContaining('jump host bastion was lost') });
    }
    const before = logins(bastion);
    const again = await Promise.all(['a', 'b', 'c'].map((name) => connected(transport, target(name))));
    expect((await run(again[2]!, 'echo back')).stdout.toString()).toBe('back\n');
    expect(logins(bastion) - before).toBe(1);
  });

  it('that let us in and refuses us after it was lost, as before the end of its boot, is asked again later', async () => {
    const booting = keep(await startSshd(files, [key]));
    const cutter = await startCutter(booting.port);
    const transport = transportFor([host, { port: cutter.port, hostKeys: booting.hostKeys }]);
    const via = targetOf('booting', { port: cutter.port, user: booting.user });
    const call = () => transport.connect(targetOf('host', host, behind(via)), never());
    const kindOf = (result: Connected | Failed) => ('fault' in result ? result.fault.kind : 'connected');
    connectionOf(await call()).close();
    booting.authorize('');
    cutter.cut();
    // the first calls may still find the connection that was cut
    await expect.poll(async () => kindOf(await call())).toBe('auth');
    booting.authorize(booting.keys);
    await expect.poll(async () => 'connection' in (await call())).toBe(true);
  });

  it('that is lost while hosts log in is logged in to again for them', async () => {
    const cutter = await startCutter(bastion.port);
    let sockets = 0;
    const slow = await startTcp((near) => {
      if (++sockets === 1) return void setTimeout(cutter.cut, 100); // says nothing, until the bastion is lost
      const far = connect(host.port, '127.0.0.1').on('error', () => undefined);
      near.pipe(far).pipe(near);
    });
    keep(slow);
    const ways = [
      { port: cutter.port, hostKeys: bastion.hostKeys },
      { port: slow.port, hostKeys: host.hostKeys },
    ];
    const via = targetOf('bastion', { port: cutter.port, user: bastion.user });
    const target = targetOf('host', { port: slow.port, user: host.user }, behind(via));
    connectionOf(await transportFor(ways).connect(target, never())).close();
    expect(sockets).toBe(2);
  });

  it('does not use up the time of a host that waits for it, and a silent host is late by itself', async () => {
    const mute = keep(await startTcp(() => undefined));
    const transport = transportFor([host, bastion], { connectTimeoutMs: 3_000 });
    const via = targetOf('bastion', bastion, { connectTimeoutMs: 60_000 });
    // more silent hosts than may log in at once: the last ones wait for 3 s, and have their own 3 s then
    const silentHosts = Array.from({ length: 9 }, (_, index) =>
      transport.connect(targetOf(`mute${index}`, { port: mute.port, user: 'nobody' }, behind(via)), never()),
    );
    for (const result of await Promise.all(silentHosts)) {
      expect(faultOf(result)).toMatchObject({
        kind: 'timed-out',
        message: expect.stringMatching(/through bastion did not let us in within 3 s: it got as far as greeting/),
      });
    }
  });

  it('is left when the transport is closed', async () => {
    const transport = transportFor([host, bastion]);
    const closed = () => bastion.log().split(/Disconnected from user|Connection closed by/).length;
    const before = closed();
    const connection = await connected(transport, targetOf('host', host, behind(targetOf('bastion', bastion))));
    const remote = connection.exec('sleep 60', silent);
    transport.close();
    expect((await remote.ended).how).toBe('lost');
    for (let tries = 0; closed() === before && tries < 1500; tries++) await pause(20);
    expect(closed()).toBeGreaterThan(before);
  });
});
