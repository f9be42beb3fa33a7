/** The remote program on a simulated host: receipts, locks, and what it leaves alone. What it does to units is in the contract. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Prior } from '../../src/model/index.ts';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { applyWords } from '../../src/remote/protocol.ts';
import { receiptsFrom } from '../../src/remote/receipts.ts';
import { converse, run, type Told, type Turn } from '../contract/systemd-under-test.ts';
import { enabled, STUBBORN, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const STUCK = 'fm-stuck.service';
const LINK = `/etc/systemd/system/${UNIT}`;

const mask = (id = 'r1', ...words: string[]): Turn => [
  ...(['apply', `run=${id}`, 'where=etc', 'stop-timeout=1', `meta=by=${id}`, `link=${LINK}`] as const),
  ...[`stop=${UNIT}`, `read=${UNIT}`, `try=${UNIT}`, ...words],
];
const undo = (id = 'r1', ...words: string[]): Turn => [
  ...(['undo', `run=${id}`, 'where=etc', 'stop-timeout=1', 'meta=-', `start=${UNIT}`, `read=${UNIT}`] as const),
  ...words,
];

/** Changes nothing: what follows it has a higher number. */
const later: Turn = ['nothing'];

/** Somebody else makes the same mask. */
async function replace(link: string): Promise<void> {
  await symlink('/dev/null', `${link}.theirs`);
  await rename(`${link}.theirs`, link);
}

function recordOf(line: string): HostRecord {
  return { kind: line.slice(0, line.indexOf(' ')), text: line.slice(line.indexOf(' ') + 1) };
}

describe.each(SHELLS)('under $name', (shell) => {
  let host: SimulatedHost;
  let before: Record<string, string>;
  beforeAll(async () => {
    host = await SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }), [`${VENDOR}/${STUCK}`]: STUBBORN },
      links: enabled(UNIT),
      running: [UNIT, STUCK],
    });
  });
  beforeEach(async () => {
    await host.reset();
    before = await dump(host.dir);
  });
  afterAll(() => host.dispose());
  const receipts = join('var/lib/fleetmask');
  const onHost = (path: string) => join(host.dir, path);

  // busybox takes its own mv and stat
  it.skipIf(shell.name === 'busybox')(
    'a mask that cannot be noted before it is taken away stays, and what cannot be written is named',
    async () => {
      await symlink('/dev/null', onHost(LINK));
      before = await dump(host.dir);
      const shim = onHost('shim/stat');
      await writeFile(shim, `#!/bin/sh\ncase "$*" in *taking*) exit 1 ;; esac; exec /usr/bin/stat "$@"\n`, {
        mode: 0o755,
      });
      const request = [
        'apply',
        'run=r1',
        'where=etc',
        'stop-timeout=1',
        'meta=-',
        `remove=${LINK}`,
        `read=${UNIT}`,
      ] as const;
      const [, told] = await converse(host, [UNIT], request);
      await rm(shim);
      expect(told?.rest).toEqual([expect.stringMatching(/^refused write cannot write \S+\/r1\/log$/)]);
      expect(await dump(host.dir)).toEqual(before);
    },
  );

  describe.skipIf(shell.name === 'busybox')('whose tools are other than those of GNU', () => {
    // busybox takes its own
    const tool = (name: string, script: string) =>
      writeFile(onHost(`shim/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

    it.each([
      ['no flock', 'flock', 'echo "flock: not found" >&2; exit 127', '/lock: .*not found'],
      ['an ln that does not say where', 'ln', 'echo "ln: Read-only file system" >&2; exit 1', `${LINK}: ln: Read-only`],
    ])('a host with %s is refused for what that says, and for no other run', async (_, name, script, says) => {
      await tool(name, script);
      const [, told] = await converse(host, [UNIT], mask());
      await rm(onHost(`shim/${name}`));
      expect(told?.rest).toEqual([expect.stringMatching(new RegExp(`^refused write .*${says}`))]);
      expect(await dump(host.dir)).toEqual(before);
    });

    it('a timeout of busybox that knows no -k bounds all that runs', async () => {
      const [own] = (process.env.PATH ?? '')
        .split(':')
        .map((dir) => join(dir, 'timeout'))
        .filter(existsSync);
      await tool('busybox', `case $1 in -k) echo "invalid option -- 'k'" >&2; exit 1 ;; esac; exec ${own} "$@"`);
      await rm(onHost('shim/timeout'), { force: true });
      await symlink('busybox', onHost('shim/timeout'));
      const [, told] = await converse(host, [UNIT], mask());
      expect(told?.steps).toMatchObject({ [`link:${LINK}`]: '0', stop: '0', reload: '0', [`try:${UNIT}`]: '1' });
    });
  });

  it('a verb that it does not know changes nothing', async () => {
    const [, told] = await converse(host, [UNIT], ['explode', `link=${LINK}`]);
    expect(told?.rest).toEqual(['refused malformed']);
    expect(await dump(host.dir)).toEqual(before);
  });

  it.each(['', '../../etc', 'a b', 'r1;reboot'])('a run named %j changes nothing', async (name) => {
    const [, told] = await converse(host, [UNIT], mask(encodeURI(name)));
    expect(told?.rest).toEqual(['refused malformed']);
    expect(await dump(host.dir)).toEqual(before);
  });

  it('the receipt says what was asked and answered, for root alone, and goes with the undo', async () => {
    let printed = '';
    await converse(
      host,
      [UNIT],
      ({ child }) => child.stdout.on('data', (chunk) => (printed += chunk)),
      mask(),
      async () => {
        expect(await readdir(onHost(receipts))).toEqual(['r1']);
        expect(await readFile(onHost(`${receipts}/r1/result`), 'latin1')).toBe(printed);
        const log = await readFile(onHost(`${receipts}/r1/log`), 'utf8');
        expect(log).toMatch(/^request run=r1 where=etc .*\nlinking \S+\nlinked \S+ \d+\.[\d.]+\n$/);
        const modes = Object.entries(await dump(host.dir)).filter(([path]) => path.startsWith('/var/lib/fleetmask'));
        expect(modes.map(([, entry]) => entry.split(' ').slice(0, 2).join(' '))).toEqual([
          ...['directory 40700', 'directory 40700', 'file 100600', 'file 100600', 'file 100600'],
        ]);
      },
      undo(),
    );
    expect(await dump(host.dir)).toEqual(before);
  });

  // busybox runs its own sync, whatever is in the path
  it.skipIf(shell.name === 'busybox')('the receipt is on the disk before anything is stopped', async () => {
    const said = `#!/bin/sh\nread -r state <"$FLEETMASK_ROOT/sim/active/${UNIT}"; { echo "unit $state"; cat "$1"; } >"$FLEETMASK_ROOT/synced"\n`;
    await writeFile(onHost('shim/sync'), said, { mode: 0o755 });
    await converse(host, [UNIT], mask());
    const synced = await readFile(onHost('synced'), 'utf8');
    expect(synced).toMatch(/^unit .*active.*\nrequest [\s\S]*\nlinking \S+\nlinked \S+ \d+\.[\d.]+\n$/);
  });

  it('a probe tells the receipts, from which all that undoing needs can be read again', async () => {
    const change: Change = {
      where: 'etc',
      links: [LINK],
      removes: [],
      displaces: [],
      stops: [UNIT],
      attempts: [UNIT],
      groups: [],
      killLeftovers: false,
      reads: [UNIT],
      looks: [],
    };
    const prior: Prior = {
      bootId: '00000000-0000-0000-0000-000000000001',
      machineId: null,
      states: [{ id: UNIT, load: 'loaded', file: 'enabled', active: 'active' }],
      masks: ['/run/systemd/system/fm-b.service'],
    };
    const words = applyWords(change, prior, {
      run: 'r1',
      as: "web 'ü'",
      meta: { actor: "a'b", reason: 'x & y=%' },
      stopTimeout: 5,
    });
    const receiptsOf = (told: Told | undefined) => receiptsFrom((told?.rest ?? []).map(recordOf));
    const [, , all, one, , touched] = await converse(
      host,
      [UNIT],
      ['apply', ...words],
      ['probe', 'receipts=all'],
      ['probe', 'receipts=r1', 'result=r1'],
      ['probe', 'receipts=r2'],
      () => replace(onHost(LINK)),
      ['probe', 'receipts=r1'],
    );
    const [receipt] = receiptsOf(all);
    expect(receipt).toEqual({
      ...{ run: 'r1', seq: 1, order: 1, as: "web 'ü'", meta: { actor: "a'b", reason: 'x & y=%' }, change, prior },
      ...{ holds: [LINK], result: null },
    });
    expect(receiptsOf(one)[0]?.result?.steps.map(({ name }) => name)).toContain(`link:${LINK}`);
    expect(receiptsOf(touched)[0]?.holds).toEqual([]);
  });

  it('a request that is not newer than the last of its run is refused', async () => {
    await converse(host, [UNIT], mask(), undo());
    const [, late] = await converse(host, [UNIT], mask());
    expect(late?.rest).toEqual(['refused fenced 2']);
    expect(late?.steps).toEqual({});
  });

  it('of two runs at once the second is refused, and told who holds the lock', async () => {
    const holder = host.shell(`dir=$FLEETMASK_ROOT/run/fleetmask; mkdir -p "$dir"; exec 9>>"$dir/lock"
flock 9; echo "$$ r0 by=alice" >&9; echo held; read -r _`);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const [, told] = await converse(host, [UNIT], mask());
    expect(told?.rest).toEqual([expect.stringMatching(/^refused locked r0 by=alice \d{10} \d+$/)]);
    holder.stdin.end();
    await new Promise((resolve) => holder.once('close', resolve));
    const [, , again] = await converse(host, [UNIT], ['probe'], mask());
    expect(again?.steps).toMatchObject({ stop: '0' });
  });

  it('the undo of a run ends the request that it undoes, and restores what that changed', async () => {
    const stuck: Turn = ['apply', 'run=r1', 'where=etc', 'stop-timeout=30', 'meta=-', `link=${LINK}`, `stop=${STUCK}`];
    const doomed = converse(host, [UNIT], stuck);
    const death = expect(doomed).rejects.toThrow('the program ended');
    await expect.poll(() => dump(host.dir).then((entries) => entries[LINK])).toBe('link /dev/null');
    const [, , undone] = await converse(host, [UNIT], ['probe'], undo('r1', `start=${STUCK}`));
    await death;
    expect(undone?.steps).toMatchObject({ [`unlink:${LINK}`]: '0', reload: '0', start: '0' });
    expect(await dump(host.dir)).toEqual(before);
  });

  it('the undo of a run whose request ends in this moment takes nobody else for it, and waits', async () => {
    await converse(host, [UNIT], mask());
    // the request is gone, its number is another's by now, and the lock is about to be let go
    const holder = host.shell(`exec 9>>"$FLEETMASK_ROOT/run/fleetmask/lock"; flock 9
sleep 60 9>&- & other=$!; echo "$other r1 -" >"$FLEETMASK_ROOT/run/fleetmask/lock"; echo held; sleep 1; exec 9>&-
kill -0 $other && echo spared; kill $other`);
    let said = '';
    holder.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await expect.poll(() => said).toMatch('held');
    const [, , undone] = await converse(host, [UNIT], ['probe'], undo());
    expect(undone?.steps).toMatchObject({ [`unlink:${LINK}`]: '0', start: '0' });
    await expect.poll(() => said).toMatch('spared');
    expect(await dump(host.dir)).toEqual(before);
  });

  it.each(['keep', 'undo'])(
    '%s waits for a switch that took the lock just now, under the name of the last request',
    async (verb) => {
      let said = '';
      const [, , answer] = await converse(
        host,
        [UNIT],
        mask(),
        async () => {
          const holder = host.shell(`exec 9>>"$FLEETMASK_ROOT/run/fleetmask/lock"; flock 9; echo held; sleep 0.5
echo "$$ r1 actor=switch" >"$FLEETMASK_ROOT/run/fleetmask/lock"; sleep 1; echo over; exec 9>&-`);
          holder.stdout.on('data', (chunk) => {
            said += chunk;
          });
          await expect.poll(() => said).toMatch('held');
        },
        [verb, 'run=r1', 'where=etc', 'stop-timeout=1', 'meta=-', `read=${UNIT}`],
      );
      expect(said).toMatch('over');
      expect(answer?.rest).not.toContainEqual(expect.stringMatching(/^refused/));
    },
  );

  it('a link that somebody else put in the place of ours is left alone, and said so', async () => {
    const [, , undone] = await converse(host, [UNIT], mask(), () => replace(onHost(LINK)), undo());
    expect(undone?.rest).toContain(`foreign ${LINK}`);
    expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
    expect(await readdir(onHost(receipts))).toEqual(['r1']);
  });

  // busybox runs its own sync, whatever is in the path, and its stat knows the second alone
  it.skipIf(shell.name === 'busybox')(
    'a link that somebody else made within the second, with the inode of ours, is left alone',
    async (test) => {
      const look = `stat -c '%i %Z' "$FLEETMASK_ROOT${LINK}"`;
      const anew = `rm "$FLEETMASK_ROOT${LINK}"; ln -s /dev/null "$FLEETMASK_ROOT${LINK}"`;
      for (let tries = 0; tries < 10; tries += 1) {
        await host.reset();
        await writeFile(
          onHost('shim/sync'),
          `#!/bin/sh\n{ ${look}; sleep 0.02; ${anew}; ${look}; } >"$FLEETMASK_ROOT/both"\n`,
          { mode: 0o755 },
        );
        const [, , undone] = await converse(host, [UNIT], mask(), undo());
        const [ours, theirs] = (await readFile(onHost('both'), 'utf8')).split('\n');
        if (ours !== theirs) continue;
        expect(undone?.rest).toContain(`foreign ${LINK}`);
        expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
        return;
      }
      test.skip('this file system did not use the inode again');
    },
  );

  it('a run that has come here under one name does nothing under another, and receipts are counted', async () => {
    const marks = ({ rest = [] }: Partial<Told> = {}) => rest.filter((record) => record.startsWith('mark '));
    const other: Turn = [
      'apply',
      'run=r2',
      'as=web1',
      'where=run',
      'stop-timeout=1',
      'meta=-',
      'link=/run/systemd/system/fm-none.service',
      `read=${UNIT}`,
    ];
    const [, , again, undone, , told, mine] = await converse(
      host,
      [UNIT],
      mask('r1', 'as=web1'),
      mask('r1', 'as=alias'),
      undo('r1', 'as=alias'),
      other,
      ['probe', 'receipts=all'],
      undo('r1', 'as=web1'),
      ['undo', 'run=r2', 'as=web1', 'where=run', 'stop-timeout=1', 'meta=-', `read=${UNIT}`],
    );
    expect([again?.rest, undone?.rest]).toEqual([['refused twin web1'], ['refused twin web1']]);
    expect(marks(told)).toEqual(['mark r1 1 web1', 'mark r2 2 web1']);
    expect(mine?.steps).toMatchObject({ [`unlink:${LINK}`]: '0' });
    expect(await dump(host.dir)).toEqual(before);
  });

  it('a link that a second run took away and put back is the first run’s again', async () => {
    const remove: Turn = ['apply', 'run=r2', 'where=etc', 'stop-timeout=1', 'meta=-', `remove=${LINK}`, `read=${UNIT}`];
    const holds = ({ rest = [] }: Partial<Told> = {}) => rest.filter((record) => record.startsWith('holds '));
    const [, , first, , second, , third] = await converse(
      host,
      [UNIT],
      mask(),
      ['probe', 'receipts=all'],
      remove,
      ['probe', 'receipts=all'],
      ['undo', 'run=r2', 'where=etc', 'stop-timeout=1', 'meta=-', `read=${UNIT}`],
      ['probe', 'receipts=all'],
      undo(),
    );
    expect([holds(first), holds(second), holds(third)]).toEqual([[`holds r1 ${LINK}`], [], [`holds r1 ${LINK}`]]);
    expect(await dump(host.dir)).toEqual(before);
  });

  it('a link that a second run lifted to start what ran under it is the first run’s again', async () => {
    const linkOnly: Turn = ['apply', 'run=r1', 'where=etc', 'stop-timeout=1', 'meta=-', `link=${LINK}`, `read=${UNIT}`];
    const stopOnly: Turn = ['apply', 'run=r2', 'where=etc', 'stop-timeout=1', 'meta=-', `stop=${UNIT}`, `read=${UNIT}`];
    const [, , , restarted, undone] = await converse(host, [UNIT], linkOnly, stopOnly, undo('r2', `lift=${LINK}`), [
      'undo',
      'run=r1',
      'where=etc',
      'stop-timeout=1',
      'meta=-',
      `read=${UNIT}`,
    ]);
    expect(restarted?.steps).toMatchObject({ [`lift:${LINK}`]: '0', start: '0', [`relink:${LINK}`]: '0' });
    expect(undone?.steps).toMatchObject({ [`unlink:${LINK}`]: '0' });
    expect(await dump(host.dir)).toEqual(before);
  });

  it('a link that was lifted, is back, and was then taken away by somebody is not made again', async () => {
    await symlink('/dev/null', onHost(LINK));
    const stopOnly: Turn = ['apply', 'run=r1', 'where=etc', 'stop-timeout=1', 'meta=-', `stop=${UNIT}`, `read=${UNIT}`];
    const [, , halfway, undone] = await converse(
      host,
      [UNIT],
      stopOnly,
      // for a reason of its own this undo does not succeed, so that there is another
      undo('r1', `lift=${LINK}`, 'start=missing.service'),
      async () => {
        expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
        await rm(onHost(LINK));
      },
      undo('r1'),
    );
    expect(halfway?.steps).toMatchObject({ [`lift:${LINK}`]: '0', [`relink:${LINK}`]: '0' });
    expect(undone?.steps).not.toHaveProperty(`relink:${LINK}`);
    expect(await dump(host.dir)).toEqual(before);
  });

  it('old fences go with a receipt, this run’s and young ones stay', async () => {
    const fences = async () => (await readdir(onHost('run/fleetmask'))).filter((name) => name.endsWith('.seq')).sort();
    await converse(host, [UNIT], mask());
    for (const [name, days] of Object.entries({ old: 9, young: 2 })) {
      const file = onHost(`run/fleetmask/${name}.seq`);
      await writeFile(file, '2\n');
      const then = Date.now() / 1000 - days * 86_400;
      await utimes(file, then, then);
    }
    await converse(host, [UNIT], ['probe'], undo());
    expect(await fences()).toEqual(['r1.seq', 'young.seq']);
  });

  it('a mask that was there is not made again, and stays', async () => {
    await symlink('/dev/null', onHost(LINK));
    before = await dump(host.dir);
    const [, masked, undone] = await converse(host, [UNIT], mask(), undo());
    expect(masked?.steps).toEqual({ [`link:${LINK}`]: '1' });
    expect(undone?.steps).toEqual({});
    expect(undone?.rest).toContain('receipt none');
    expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
  });

  it.each([
    ['ignores all that it is asked, as in a chroot', `echo "Running in chroot, ignoring command."`, 2],
    ['reloads nothing, and says that it did', `case "$*" in *daemon-reload*) ;; *) exec $real "$@" ;; esac`, 2],
    ['starts nothing, and says that it did', `case "$*" in *' start '*) ;; *) exec $real "$@" ;; esac`, 1],
  ])('an undo by a systemctl that %s keeps its receipt, and the next one is whole', async (_, body, lacking) => {
    const shim = onHost('shim/systemctl');
    const whole = onHost('shim/whole-systemctl');
    await converse(host, [UNIT], mask());
    await rename(shim, whole);
    await writeFile(shim, `#!${shell.command}\nreal=$FLEETMASK_ROOT/shim/whole-systemctl\n${body}\n`, { mode: 0o755 });
    const [, , told] = await converse(host, [UNIT], later, undo());
    await rename(whole, shim);
    expect(told?.rest.filter((text) => text.startsWith('lacking'))).toEqual(Array(lacking).fill(`lacking ${UNIT}`));
    expect(await readdir(onHost(receipts))).toEqual(['r1']);
    const [, , , last] = await converse(host, [UNIT], later, later, undo());
    expect(last?.rest.filter((text) => text.startsWith('lacking'))).toEqual([]);
    expect(await dump(host.dir)).toEqual(before);
  });

  it('an undo waits for a systemd that executes itself anew longer than a change would', async () => {
    const shim = onHost('shim/systemctl');
    const whole = onHost('shim/whole-systemctl');
    await converse(host, [UNIT], mask());
    await rename(shim, whole);
    // the pauses are left out, but for busybox, which has a sleep of its own
    const deaf =
      'n=$(cat "$FLEETMASK_ROOT/calls" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >"$FLEETMASK_ROOT/calls"\n' +
      '[ $n -gt 25 ] || { echo "Failed to connect to bus: Connection refused" >&2; exit 1; }\n';
    await writeFile(
      shim,
      `#!${shell.command}\n${deaf}exec "$FLEETMASK_ROOT/shim/whole-systemctl" "$@"\n`.replaceAll('\\n', '\n'),
      { mode: 0o755 },
    );
    await writeFile(onHost('shim/sleep'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const [, , told] = await converse(host, [UNIT], later, undo());
    await rename(whole, shim);
    await rm(onHost('shim/sleep'));
    await rm(onHost('calls'));
    expect(told?.rest.filter((text) => text.startsWith('lacking'))).toEqual([]);
    expect(await dump(host.dir)).toEqual(before);
  });

  it.each([
    ['emptied', (log: string) => writeFile(log, '')],
    ['cut off', async (log: string) => writeFile(log, `${(await readFile(log, 'utf8')).split('\n')[0]}\n`)],
    ['removed', (log: string) => rm(log)],
  ])('a receipt whose log was %s stays while its link is there, and goes with it', async (_, damage) => {
    const words = [`run=r1`, 'where=etc', 'stop-timeout=1', 'meta=-', `read=${UNIT}`];
    const undoAll: Turn = ['undo', ...words, `link=${LINK}`];
    await run(host, `systemctl stop ${UNIT}`);
    before = await dump(host.dir);
    await converse(host, [UNIT], ['apply', ...words, `link=${LINK}`]);
    await damage(onHost(`${receipts}/r1/log`));
    const [, , told] = await converse(host, [UNIT], later, undoAll);
    expect(told?.rest).toContain(`lacking ${LINK}`);
    expect(await readdir(onHost(receipts))).toEqual(['r1']);
    await rm(onHost(LINK));
    const [, , , again] = await converse(host, [UNIT], later, later, undoAll);
    expect(again?.rest.filter((text) => text.startsWith('lacking'))).toEqual([]);
    expect(await dump(host.dir)).toEqual(before);
  });

  it.each([
    ['a FIFO', 'receipt none', async (dir: string) => run(host, `rm ${dir}/log; mkfifo ${dir}/log`)],
    ['a link', 'refused write', async (dir: string) => run(host, `mv ${dir} ${dir}.1; ln -s ${dir}.1 ${dir}`)],
  ])('a receipt that is %s is read by nobody, and holds up nobody', async (_, says, damage) => {
    await converse(host, [UNIT], mask());
    await damage(`"$FLEETMASK_ROOT"/${receipts}/r1`);
    const asking = ['keep', 'run=r1', 'where=etc', 'meta=-', `read=${UNIT}`] as const;
    const [, , ...told] = await converse(host, [UNIT], later, asking, undo());
    expect(told.map(({ rest }) => rest.some((text) => text.startsWith(says)))).toEqual([true, true]);
    // not by dump, which would read the FIFO
    expect(await readlink(onHost(LINK))).toBe('/dev/null');
    await rm(onHost(`${receipts}/r1`), { recursive: true });
  });

  it('an undo has systemd read what an earlier one left unread, also when the receipt is gone', async () => {
    await converse(host, [UNIT], mask());
    await rm(onHost(LINK));
    await rm(onHost(receipts), { recursive: true });
    const [, , told] = await converse(host, [UNIT], later, undo());
    expect(told).toMatchObject({ steps: { reload: '0', start: '0' } });
    expect(await dump(host.dir)).toEqual(before);
  });

  describe('a change of what was probed', () => {
    const asked = mask('r2', 'unmoved=yes');
    /** Probes, lets something happen, and asks. */
    const askedAfter = async (...turns: Turn[]) => (await converse(host, [UNIT], ...turns, asked)).at(-1)?.rest;

    it('is made where nothing has changed since', async () => {
      expect(await askedAfter()).not.toContain('refused moved');
      expect(await readdir(onHost(receipts))).toEqual(['r2']);
    });

    it.each<[string, () => Promise<unknown>]>([
      ['a link is there', () => symlink('/dev/null', onHost(`/run/systemd/system/${UNIT}`))],
      ['a unit file is there that outranks it', () => writeFile(onHost(LINK), '[Service]\n')],
      ['the unit file is gone', () => rm(onHost(`${VENDOR}/${UNIT}`))],
      ['another run has come and gone', () => converse(host, [UNIT], mask(), undo())],
      ['another run has come', () => converse(host, [UNIT], mask())],
    ])('is refused where %s', async (_, happens) => {
      const rest = await askedAfter(async () => {
        await happens();
        before = await dump(host.dir);
      });
      expect(rest).toEqual(['refused moved']);
      expect(await dump(host.dir)).toEqual(before);
    });

    it('is refused where another run was at work when it was probed, and has ended since', async () => {
      const slow = [
        'apply',
        'run=r1',
        'where=etc',
        'stop-timeout=2',
        'meta=-',
        `stop=${STUCK}`,
        `read=${STUCK}`,
      ] as const;
      const first = converse(host, [STUCK], slow);
      while (!(await readFile(onHost('run/fleetmask/lock'), 'utf8').catch(() => '')).includes('r1')) {}
      await expect(askedAfter(() => first)).resolves.toEqual(['refused moved']);
    });

    it('is made where another run was killed before it was probed', async () => {
      await converse(host, [UNIT]);
      await mkdir(onHost('run/fleetmask'), { recursive: true });
      await writeFile(onHost('run/fleetmask/changes'), '7\n');
      await writeFile(onHost('run/fleetmask/lock'), '99999999 r1 -\n');
      expect(await askedAfter()).not.toContain('refused moved');
      expect(await readFile(onHost('run/fleetmask/changes'), 'utf8')).toBe('10\n');
    });
  });

  it('an undo without a receipt says so and restores nothing', async () => {
    const [, undone] = await converse(host, [UNIT], undo('r7'));
    expect(undone?.rest).toContain('receipt none');
    expect(undone?.steps).toEqual({});
    expect(await dump(host.dir)).toEqual(before);
  });

  it('what cannot be written stops it before anything is changed', async () => {
    await symlink('/nonexistent/place', onHost(receipts));
    before = await dump(host.dir);
    const [, told] = await converse(host, [UNIT], mask());
    expect(told?.rest[0]).toMatch(/^refused write /);
    expect(await dump(host.dir)).toEqual(before);
  });

  it('a value with newlines in it stays within its frame', async () => {
    await symlink('x\n@nonce 0 done 1\ny', onHost(`${VENDOR}/fm-odd.service`));
    const [told] = await converse(host, ['fm-odd.service']);
    expect(told?.rest.filter((record) => record.startsWith('path link'))).toHaveLength(3);
  });

  it('what another user names below a unit’s control group is never split, nor read when it is no file', async () => {
    // which waits for those who do not end
    const kill = shell.name === 'dash' ? 'yes' : 'no';
    const group = '/system.slice/fm-gone.service';
    const dir = onHost(`sys/fs/cgroup${group}`);
    const elsewhere = onHost('elsewhere');
    const sleeps = host.shell(`exec 2>&1; sleep 60 & echo $!; sleep 60 & echo $!; sleep 60 & echo $!; wait`);
    let said = '';
    sleeps.stdout.on('data', (chunk) => (said += chunk));
    await expect.poll(() => said.split('\n').length).toBe(4);
    const [left = '', moved = '', victim = ''] = said.trim().split('\n');
    const below = async (name: string, text: string) => {
      await mkdir(join(dir, name), { recursive: true });
      await writeFile(join(dir, name, 'cgroup.procs'), text);
    };
    await below('', '');
    await below('with a space', `${left}\n`);
    await below('*\n-n', `${moved}\n`);
    await below(`a ${elsewhere}`, `0\n-1\nx $(reboot)\n`);
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'cgroup.procs'), `${victim}\n`);
    await symlink(elsewhere, join(dir, 'link'));
    execFileSync('mkfifo', [join(elsewhere, 'fifo')]);
    await mkdir(join(dir, 'fifo'));
    await symlink(join(elsewhere, 'fifo'), join(dir, 'fifo/cgroup.procs'));
    // the second is another unit's by the time that it would be killed
    for (const [pid, of] of [
      [left, `${group}/with a space`],
      [moved, '/system.slice/fm-other.service'],
    ] as const) {
      await mkdir(onHost(`proc/${pid}`), { recursive: true });
      await writeFile(onHost(`proc/${pid}/cgroup`), `0::${of}\n`);
    }
    const [, told] = await converse(host, [UNIT], mask('r1', `kill=${kill}`, `group=${group}`));
    expect(told?.rest.find((record) => record.startsWith('left '))).toBe(`left 3 0 ${group}`);
    const alive = (pid: string) =>
      execFileSync('sh', ['-c', `kill -0 ${pid} && echo yes || echo no`], { encoding: 'utf8' });
    expect([alive(left), alive(moved), alive(victim)]).toEqual([kill === 'yes' ? 'no\n' : 'yes\n', 'yes\n', 'yes\n']);
    sleeps.kill();
    execFileSync('sh', ['-c', `kill ${left} ${moved} ${victim} || :`], { stdio: 'ignore' });
  });

  it('processes that the kernel counts and nobody can see are told, not taken for none', async () => {
    const group = '/system.slice/fm-gone.service';
    const dir = onHost(`sys/fs/cgroup${group}`);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'cgroup.events'), 'populated 1\nfrozen 0\n');
    const [, told] = await converse(host, [UNIT], mask('r1', `group=${group}`));
    expect(told?.rest).toContain(`left 1 0 ${group}`);
  });

  it('a session that may write no file, or use too little time, files or memory, is told, and one without limits is not', async () => {
    const limits = (size: string, time: string, files: string, space: string) =>
      `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              ${time}            unlimited            seconds
Max file size             ${size}            unlimited            bytes
Max open files            ${files}                 1048576              files
Max address space         ${space}            unlimited            bytes
`;
    const told = async (size: string, time: string, files = '1024', space = 'unlimited') => {
      await mkdir(onHost('proc/self'), { recursive: true });
      await writeFile(onHost('proc/self/limits'), limits(size, time, files, space));
      const [answer] = await converse(host, [UNIT]);
      return answer?.rest.filter((record) => record.startsWith('host limit='));
    };
    expect(await told('unlimited', 'unlimited')).toEqual([]);
    expect(await told('0', '5')).toEqual([
      'host limit=CPU time: 5 seconds (ulimit -t)',
      'host limit=file size: 0 bytes (ulimit -f)',
    ]);
    expect(await told('unlimited', 'unlimited', '31', '67108863')).toEqual([
      'host limit=open files: 31 (ulimit -n)',
      'host limit=address space: 67108863 bytes (ulimit -v)',
    ]);
    expect(await told('unlimited', 'unlimited', '32', '67108864')).toEqual([]);
  });
});
