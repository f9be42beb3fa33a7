import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { freePort, scratch } from './openssh.ts';
import { startServer } from './server.ts';

const files = scratch();
const key = files.key('id');
const { connectTo } = dialler(files, key);
const open: { close(): void }[] = [];
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

const join = files.write(
  'join.mjs',
  `import { connect } from 'node:net';
   import { writeFileSync } from 'node:fs';
   const [port, pid] = process.argv.slice(2);
   if (pid) writeFileSync(pid, String(process.pid));
   const socket = connect(Number(port), '127.0.0.1');
   process.on('SIGHUP', () => process.exit());
   process.on('exit', () => { if (pid) writeFileSync(pid + '.ended', ''); });
   process.stdin.on('data', (chunk) => socket.write(chunk));
   socket.pipe(process.stdout);
   socket.on('close', () => { console.error('the far side is gone'); process.exit(3); });`,
);

const by = (command: string): Partial<Target> => ({ proxy: { kind: 'command', command } });
const server = async () => {
  const started = await startServer(files, [key]);
  open.push(started);
  return started;
};

describe('a ProxyCommand', () => {
  it('that fails is quoted with its exit code and the beginning of its errors, safely', async () => {
    const command = `sh -c 'printf "no way \\033[31mthrough\\n" >&2; head -c 9000 /dev/zero | tr "\\0" x >&2; exit 7'`;
    const fault = faultOf(await connectTo({ port: await freePort() }, by(command)));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('no way \\x1b[31mthrough') });
    expect(fault.message).toContain('the ProxyCommand ended with exit code 7: ');
    expect(fault.message.length).toBeLessThan(1_300);
  });

  it('that is no program is reported', async () => {
    const fault = faultOf(await connectTo({ port: await freePort() }, by('no-such-program --at all')));
    expect(fault.message).toMatch(/exit code 127.*not found/);
    const shell = faultOf(await connectTo({ port: 1 }, by('true'), { shell: '/no/such/shell' }));
    expect(shell.message).toMatch(/cannot be run: .*ENOENT/);
  });

  it('that is no program is run once, and one that fails is tried again', async () => {
    for (const [code, runs] of [
      [126, 1],
      [127, 1],
      [1, 3],
    ]) {
      const log = files.path(`runs-${code}`);
      const fault = faultOf(await connectTo({ port: 1 }, by(`sh -c 'echo run >>${log}; echo why >&2; exit ${code}'`)));
      expect(fault.message).toMatch(new RegExp(`exit code ${code}: why`));
      expect(files.read(`runs-${code}`).split('run')).toHaveLength(runs! + 1);
    }
  });

  it('that says nothing is given up at the deadline, and ended', async () => {
    const pid = files.path('sleeper');
    const command = `sh -c 'trap "touch ${pid}; exit" HUP; sleep 60 & wait'`;
    const fault = faultOf(await connectTo({ port: await freePort() }, by(command), { connectTimeoutMs: 5_000 }));
    expect(fault).toMatchObject({ kind: 'timed-out', message: expect.stringContaining('got as far as greeting') });
    await until(() => existsSync(pid));
  });

  it('is a line for the shell', async () => {
    const { port, hostKeys } = await server();
    const command = `env A=1 ${process.execPath} ${join} "$(printf %s ${port})" 2>/dev/null`;
    connectionOf(await connectTo({ port, hostKeys }, by(command))).close();
  });

  it('is ended with its connection', async () => {
    const { port, hostKeys } = await server();
    const pid = files.path('ended');
    const command = `${process.execPath} ${join} ${port} ${pid}`;
    const connection = connectionOf(await connectTo({ port, hostKeys }, by(command)));
    expect(existsSync(pid)).toBe(true);
    connection.close();
    await until(() => existsSync(`${pid}.ended`));
  });

  it('that ends in mid-command loses it, and the reason is told', async () => {
    const { port, hostKeys, clients } = await server();
    const connection = connectionOf(await connectTo({ port, hostKeys }, by(`${process.execPath} ${join} ${port}`)));
    const remote = connection.exec('cat', silent);
    await pause(50);
    (clients[0] as unknown as { _sock: { destroy(): void } })._sock.destroy();
    expect(await remote.ended).toMatchObject({
      how: 'lost',
      why: 'the ProxyCommand ended with exit code 3: the far side is gone',
    });
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1500) throw new Error('it never happens');
    await pause(20);
  }
}
