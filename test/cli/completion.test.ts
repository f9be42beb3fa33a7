/** TAB, in the shells themselves: each runs our script, which asks the executable. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operator } from '../operator.ts';

const alice = operator();
const home = mkdtempSync(join(tmpdir(), 'fleetmask-completion-'));
const RUN = '20260102-030405000-abcdef';
beforeAll(() => {
  spawnSync('node', ['bin/setup.mjs'], { stdio: 'ignore' });
  symlinkSync(resolve('bin/fleetmask.js'), join(home, 'fleetmask'));
  for (const dir of [join(home, 'state'), alice.stateDir]) {
    mkdirSync(join(dir, 'runs'), { recursive: true });
    writeFileSync(join(dir, 'runs', `${RUN}.ndjson`), '{}\n');
    // no run of ours: shells would take it apart
    writeFileSync(join(dir, 'runs', '$(touch pwned) `x`.ndjson'), '{}\n');
  }
});
afterAll(() => {
  alice.dispose();
  rmSync(home, { recursive: true, force: true });
});

const installed = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

function run(shell: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(shell, [...args], {
    encoding: 'utf8',
    cwd: home,
    env: { ...process.env, HOME: home, PATH: `${home}:${process.env.PATH}`, FLEETMASK_STATE_DIR: join(home, 'state') },
  });
  if (status !== 0) throw new Error(`${shell}: ${status} ${stderr}`);
  return stdout;
}

const IN_BASH = `
source <(fleetmask completion bash)
# as readline splits a line: blanks and = end a word, and the word being typed may be empty
for line; do
  COMP_WORDS=()
  for word in \${line//=/ = }; do COMP_WORDS+=("$word"); done
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=\${#line}
  _fleetmask fleetmask
  printf '%s\\n' "\${COMPREPLY[*]}"
done
`;

/** What TAB offers after each line, in order. */
const LINES: readonly (readonly [line: string, offers: readonly string[]])[] = [
  ['fleetmask un', ['unmask']],
  ['fleetmask r', ['rollback', 'recover', 'release', 'runs']],
  ['fleetmask --v', ['--version']],
  ['fleetmask mask cron --with-t', ['--with-triggers']],
  ['fleetmask mask --local-units ', ['refuse', 'displace']],
  ['fleetmask mask cron -o j', ['json', 'junit']],
  ['fleetmask mask cron --output=', ['table', 'json', 'ndjson', 'csv', 'junit', 'html']],
  ['fleetmask mask cron --output=c', ['csv']],
  ['fleetmask mask cron -vo h', ['html']],
  ['fleetmask mask cron -i ', []],
  ['fleetmask mask cron --reason ', []],
  ['fleetmask plan ', ['mask', 'unmask']],
  ['fleetmask plan mask ngi', ['nginx']],
  ['fleetmask -- ', []],
  ['fleetmask runs ', ['list', 'show', 'export']],
  ['fleetmask runs show ', ['last', RUN]],
  ['fleetmask watch --run 2', [RUN]],
  ['fleetmask rollback l', ['last']],
  ['fleetmask doctor -o ', ['table', 'json', 'ndjson']],
  ['fleetmask completion ', ['bash', 'zsh', 'fish']],
  ['fleetmask apply ', []],
  ['fleetmask nothing ', []],
];

describe('bash', () => {
  it('completes commands, flags, choices, units and runs', () => {
    const answers = run('bash', ['-c', IN_BASH, 'bash', ...LINES.map(([line]) => line)]).split('\n');
    expect(LINES.map(([line], i) => [line, answers[i]])).toEqual(
      LINES.map(([line, offers]) => [line, offers.join(' ')]),
    );
  });
});

describe.skipIf(!installed('fish'))('fish', () => {
  it('completes the same, with what each is for', () => {
    const ask = (line: string) => run('fish', ['-c', 'fleetmask completion fish | source; complete -C $argv[1]', line]);
    expect(ask('fleetmask un')).toMatch(/^unmask\tremove .+\n$/);
    expect(ask('fleetmask mask cron --with-t')).toMatch(/^--with-triggers\t.+\n$/);
    expect(ask('fleetmask mask cron --output=c')).toBe('--output=csv\n');
    expect(ask('fleetmask mask cron -o j').split('\n')).toEqual(['json', 'junit', '']);
    writeFileSync(join(home, 'hosts.yaml'), '');
    expect(ask('fleetmask mask cron -i ho')).toMatch(/^hosts\.yaml/);
  });
});

describe.skipIf(!installed('zsh'))('zsh', () => {
  it('completes the same', () => {
    // what the completion system would be given
    const program = `
      compdef() { :; }
      _files() { print -r -- FILES }
      _describe() { print -rl -- "\${(@P)2}" }
      eval "$(fleetmask completion zsh)"
      words=(fleetmask "$@"); CURRENT=\${#words}
      _fleetmask
    `;
    const ask = (...words: string[]) => run('zsh', ['-f', '-c', program, 'zsh', ...words]).split('\n');
    expect(ask('mask', 'cron', '--output', 'j')).toEqual(['json', 'junit', '']);
    expect(ask('mask', 'cron', '--with-t')).toEqual([expect.stringMatching(/^--with-triggers:also mask/), '']);
    expect(ask('mask', '-i', '')).toEqual(['FILES', '']);
    expect(ask('rollback', '')).toEqual(['last:the newest run', RUN, '']);
  });

  it('accepts the script', () => {
    expect(
      run('zsh', [
        '-f',
        '-c',
        'autoload -U compinit; compinit -D -u; source <(fleetmask completion zsh); print -r -- $_comps[fleetmask]',
      ]),
    ).toBe('_fleetmask\n');
  });
});

it('every visible flag of every command is offered', async () => {
  const { stdout } = await alice.run('completion', 'bash', '--', '');
  const commands = stdout.split('\n').filter((word) => /^[a-z]/.test(word));
  expect(commands).toContain('mask');
  for (const command of commands) {
    const help = (await alice.run(command, '--help')).stdout;
    const flags = [...help.matchAll(/^\s+(?:-\w, )?(--[\w-]+)/gm)].map(([, flag]) => flag!);
    const offered = (await alice.run('completion', 'bash', '--', command, '--')).stdout.trimEnd().split('\n');
    expect(flags.length).toBeGreaterThan(0);
    expect(offered.toSorted(), command).toEqual([...new Set(flags)].filter((flag) => flag !== '--version').toSorted());
  }
});

it('nothing is read or said but the journals’ names: a broken settings file is no matter', async () => {
  writeFileSync(join(alice.home, 'fleetmask.yaml'), '{');
  const { code, stdout, stderr } = await alice.run('completion', 'bash', '--', 'runs', 'show', '');
  rmSync(join(alice.home, 'fleetmask.yaml'));
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `last\n${RUN}\n`, stderr: '' });
});

it('whatever is typed, only whole words that a shell leaves as they are come back', async () => {
  const word = fc.oneof(
    fc.constantFrom('mask', 'runs', 'show', '-o', '--output', '=', '--', '', '-', '--run='),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('bash', 'zsh', 'fish'), fc.array(word), async (shell, words) => {
      const { code, stdout, stderr } = await alice.run('completion', shell, '--', ...words);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const line of stdout.split('\n')) expect(line.split(/[:\t]/)[0]).toMatch(/^[\w@.,=+-]*$/);
    }),
  );
});

it('an unknown shell is a mistake', async () => {
  const { code, stdout, stderr } = await alice.run('completion', 'tcsh');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/completion tcsh: expected bash, zsh, fish/);
});
