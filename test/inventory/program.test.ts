import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../src/inventory/index.ts';
import { runWithin } from '../../src/ssh-config/run-program.ts';
import { complaint, emptyDirectory, file } from './reading.ts';

const options = { cwd: emptyDirectory, env: { PATH: process.env.PATH }, run: runWithin };
const program = (body: string) => file('inv.sh', `#!/bin/sh\n${body}\n`, 0o755);

/** Processes of those programs, wherever they are. */
function sleepers(): string[] {
  const living = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return living.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('987654');
    } catch {
      return false;
    }
  });
}

describe('inventory programs', () => {
  it('one that takes too long is ended, also when a child of it holds its output open', async () => {
    const started = Date.now();
    const message = await complaint(() =>
      loadInventory([program('sleep 60 & sleep 60')], { ...options, timeoutMs: 200 }),
    );
    expect(message).toMatch(/inv\.sh --list: the inventory program took longer than 0\.2 s/);
    expect(Date.now() - started).toBeLessThan(40_000);
  });

  it.each([
    ['its children', 'sleep 987654 & sleep 987654'],
    ['children in process groups of their own', 'set -m; sleep 987654 & sleep 987654'],
    ['children in sessions of their own', 'setsid sh -c "sleep 987654; :" & sleep 987654'],
    ['children that ignore signals', `(trap '' TERM HUP INT; sleep 987654; sleep 987654) & sleep 987654`],
  ])('one that takes too long is ended with %s', async (_, body) => {
    const before = sleepers();
    await complaint(() => loadInventory([program(body)], { ...options, timeoutMs: 500 }));
    // SIGKILL is sent when this ends; the kernel may take a moment
    await expect.poll(() => sleepers().filter((pid) => !before.includes(pid))).toEqual([]);
  });

  it('one that prints more than 32 MiB is ended', async () => {
    expect(await complaint(() => loadInventory([program('exec yes')], options))).toMatch(/printed more than 32 MiB/);
  });

  it('one that fails is told with its status and what it said, made printable', async () => {
    const message = await complaint(() => loadInventory([program("printf 'no \\033[31mtoken' >&2; exit 4")], options));
    expect(message).toMatch(/failed with exit status 4: no \\x1b\[31mtoken/);
  });

  it('a mistake in its output has the line of the output', async () => {
    const message = await complaint(() =>
      loadInventory([program(`printf '{\\n"web": {"hosts": [1]},\\n"_meta": {"hostvars": {}}}'`)], options),
    );
    expect(message).toMatch(/inv\.sh --list:2: hosts of the group "web" has 1 in it/);
  });

  it('one that prints what is not UTF-8 is refused, with the line', async () => {
    const body = `printf '{"_meta": {"hostvars": {}},\\n"web": {"hosts": ["w1"], "vars": {"x": "\\351"}}}'`;
    expect(await complaint(() => loadInventory([program(body)], options))).toMatch(/inv\.sh --list:2: .* is not UTF-8/);
  });

  it('one that reads its standard input finds it empty', async () => {
    const inventory = await loadInventory([program(`cat; echo '{"web": ["w1"], "_meta": {"hostvars": {}}}'`)], options);
    expect([...inventory.hosts.keys()]).toEqual(['w1']);
  });

  it('it sees the environment it is given, and nothing else', async () => {
    const body = `echo "{\\"g\\": {\\"hosts\\": [\\"h\\"], \\"vars\\": {\\"a\\": \\"$GIVEN\\", \\"b\\": \\"$HOME\\"}}, \\"_meta\\": {\\"hostvars\\": {}}}"`;
    const inventory = await loadInventory([program(body)], { ...options, env: { GIVEN: 'x' } });
    expect(inventory.hosts.get('h')?.vars).toEqual(
      new Map([
        ['a', 'x'],
        ['b', ''],
      ]),
    );
  });

  it('an interrupted load ends its program', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const load = () => loadInventory([program('exec sleep 60')], { ...options, signal: controller.signal });
    expect(await complaint(load)).toMatch(/was interrupted/);
  });

  it('a script that is not executable is told apart from data', async () => {
    const path = file('inv.sh', '#!/bin/sh\necho "{}"\n', 0o644);
    expect(await complaint(() => loadInventory([path], options))).toMatch(
      /inv\.sh:1: this is a script that is not executable/,
    );
  });
});
