/** A unit file that makes room for a link comes back, inode and all, wherever the program that moved it was cut off. */
import { lstat, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converse, run, type Turn } from '../contract/systemd-under-test.ts';
import { enabled, sleeper, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS, type Shell } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const DIR = '/etc/systemd/system';
const FILE = `${DIR}/${UNIT}`;

const context = (id: string) => [`run=${id}`, 'where=etc', 'stop-timeout=5', 'meta=-', `read=${UNIT}`];
const displace = (id: string): Turn => ['apply', ...context(id), `displace=${FILE}`, `stop=${UNIT}`, `try=${UNIT}`];
const undo = (id: string): Turn => ['undo', ...context(id), `start=${UNIT}`];

/** busybox sh runs the tools itself, so that there nobody can count or fail them. */
const counts = (shell: Shell) => shell.name !== 'busybox';

/** Every tool that the program calls is counted; at the call that ~/crash names the program is killed, before or after it. */
const COUNTED = ['ln', 'mv', 'rm', 'stat', 'sync', 'systemctl'];
const counting = (shell: string) => `#!${shell}
while :; do case $PATH in "$FLEETMASK_ROOT"/shim:*) PATH=\${PATH#*:} ;; *) break ;; esac; done
count=0
read -r count <"$HOME/calls"
count=$((count + 1))
echo "$count" >"$HOME/calls"
crash=
read -r crash <"$HOME/crash"
die() { read -r program _ <"$FLEETMASK_ROOT/run/fleetmask/lock"; kill -9 "$program"; sleep 0.05; }
[ "$crash" != "before $count" ] || { die; exit 1; }
case \${0##*/} in
  systemctl) "$FLEETMASK_ROOT/shim/real-systemctl" "$@" ;;
  *) "\${0##*/}" "$@" ;;
esac
status=$?
[ "$crash" != "after $count" ] || { die; exit 1; }
exit "$status"
`;

describe.each(SHELLS)('under $name', (shell) => {
  let host: SimulatedHost;
  let before: Record<string, string>;
  let inode: number;
  const at = (path: string) => join(host.dir, path);
  const inodeNow = async () => (await lstat(at(FILE))).ino;
  const asides = async () => (await readdir(at(DIR))).filter((name) => name.startsWith('.'));

  async function boot(kind: 'a file' | 'a link to a file') {
    const text = sleeper({ install: WANTED });
    host = await SimulatedHost.boot(shell, {
      files: kind === 'a file' ? { [FILE]: text } : { [`/opt/${UNIT}`]: text },
      links: { ...enabled(UNIT), ...(kind === 'a file' ? {} : { [FILE]: `/opt/${UNIT}` }) },
      running: [UNIT],
    });
    before = await dump(host.dir);
    inode = await inodeNow();
  }
  beforeEach(() => boot('a file'));
  afterEach(() => host.dispose());

  async function expectAsBefore(what: string) {
    expect(await dump(host.dir), what).toEqual(before);
    expect(await inodeNow(), what).toBe(inode);
  }

  it.each(['a file', 'a link to a file'] as const)('%s is put aside and comes back', async (kind) => {
    await host.dispose();
    await boot(kind);
    const [, told, probed, undone] = await converse(
      host,
      [UNIT],
      displace('r1'),
      ['probe', `name=${UNIT}`, 'receipts=all'],
      undo('r1'),
    );
    expect(told?.steps).toEqual({ [`displace:${FILE}`]: '0', stop: '0', reload: '0', [`try:${UNIT}`]: '1' });
    expect(told?.units.get(UNIT)).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
    expect(probed?.rest).toContain(`displaced ${FILE} ${DIR}/.${UNIT}.fleetmask-r1.orig`);
    expect(probed?.rest).toContain(`holds r1 ${FILE}`);
    expect(undone?.steps).toEqual({ [`replace:${FILE}`]: '0', reload: '0', start: '0' });
    await expectAsBefore(kind);
  });

  it.each([
    ['a file', (path: string) => writeFile(path, 'new\n')],
    ['another link to /dev/null', (path: string) => symlink('/dev/null', path)],
    ['a link to a unit', (path: string) => symlink('/opt/other.service', path)],
  ])('%s that somebody put there meanwhile is left alone, and so is the original', async (_, make) => {
    const [, , undone] = await converse(
      host,
      [UNIT],
      displace('r1'),
      async () => {
        await make(at(`${FILE}.theirs`));
        await rename(at(`${FILE}.theirs`), at(FILE));
      },
      undo('r1'),
    );
    expect(undone?.rest).toContain(`foreign ${FILE}`);
    expect(await asides()).toEqual([`.${UNIT}.fleetmask-r1.orig`]);
    expect(await readdir(at('/var/lib/fleetmask'))).toEqual(['r1']);
    // once it is gone, the undo can be repeated
    await rm(at(FILE));
    await converse(host, [UNIT], ['probe'], ['probe'], undo('r1'));
    await expectAsBefore('after the second undo');
  });

  it.runIf(counts(shell))('nothing of it stays where the file cannot be moved', async () => {
    await writeFile(at('shim/mv'), `#!${shell.command}\necho 'mv: no' >&2; exit 1\n`, { mode: 0o755 });
    before = await dump(host.dir);
    const [, told] = await converse(host, [UNIT], displace('r1'));
    expect(told?.rest.join()).toMatch(/refused write .*mv: no/);
    await expectAsBefore('refused');
  });

  it.runIf(counts(shell)).each(['a file', 'a link to a file'] as const)(
    '%s comes back wherever the program is killed',
    async (kind) => {
      await host.dispose();
      await boot(kind);
      await rename(at('shim/systemctl'), at('shim/real-systemctl'));
      for (const tool of COUNTED) await writeFile(at(`shim/${tool}`), counting(shell.command), { mode: 0o755 });
      before = await dump(host.dir);
      const calls = async () => Number(await readFile(at('tmp/calls'), 'utf8'));
      const arm = async (crash: string) => {
        await writeFile(at('tmp/calls'), '0\n');
        await writeFile(at('tmp/crash'), `${crash}\n`);
      };
      const disarm = () => Promise.all(['calls', 'crash'].map((name) => rm(at(`tmp/${name}`), { force: true })));
      const talk = async (crash: string, ...turns: Turn[]) => {
        await arm('never');
        await converse(host, [], ...turns.slice(0, -1), () => arm(crash), ...turns.slice(-1)).catch(() => []);
        return calls();
      };
      let id = 0;
      const points = (count: number) =>
        Array.from({ length: count }, (_, i) => [`before ${i + 1}`, `after ${i + 1}`]).flat();

      const inApply = await talk('never', displace('r0'));
      const inUndo = await talk('never', ['probe'], undo('r0'));
      expect([inApply, inUndo].every((count) => count > 5)).toBe(true);
      for (const point of points(inApply)) {
        id += 1;
        expect(await talk(point, displace(`r${id}`))).toBe(Number(point.split(' ')[1]));
        await talk('never', ['probe'], undo(`r${id}`));
        await disarm();
        await expectAsBefore(`killed ${point} of the displacement`);
      }
      for (const point of points(inUndo)) {
        id += 1;
        await talk('never', displace(`r${id}`));
        expect(await talk(point, ['probe'], undo(`r${id}`))).toBe(Number(point.split(' ')[1]));
        await talk('never', ['probe'], ['probe'], undo(`r${id}`));
        await disarm();
        await expectAsBefore(`killed ${point} of the undo`);
      }
    },
  );

  it('drop-ins of the unit do no harm, and stay', async () => {
    const dropIn = `mkdir -p "$FLEETMASK_ROOT${FILE}.d"; echo '[Service]' >"$FLEETMASK_ROOT${FILE}.d/x.conf"`;
    // what systemd has not read yet it reads with any reload, of a mask or of an undo
    await run(host, `${dropIn}; systemctl daemon-reload`);
    before = await dump(host.dir);
    const [, told] = await converse(host, [UNIT], displace('r1'), undo('r1'));
    expect(told?.units.get(UNIT)).toMatchObject({ LoadState: 'masked' });
    await expectAsBefore('with drop-ins');
  });
});
