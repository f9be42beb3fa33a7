/** A person at a terminal without a terminal: runs commands in this process and keeps what they print. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fleetmask } from '../src/cli/index.ts';
import type { HostReport, Report } from '../src/model/index.ts';
import type { Io } from '../src/operations/io.ts';
import { NO_GUARDRAILS } from '../src/plan/guardrails.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON report; throws, with what was said on stderr, when stdout is not exactly one. */
  readonly report: Report;
  on(host: string): HostReport;
}

export interface Operator {
  readonly home: string;
  readonly stateDir: string;
  run(...args: string[]): Promise<Run>;
  dispose(): void;
}

/** `world` replaces parts of the terminal: answers, environment, interrupts. */
export function operator(world: Partial<Io> = {}): Operator {
  const home = mkdtempSync(join(tmpdir(), 'fleetmask-test-'));
  const stateDir = join(home, 'state');
  return {
    home,
    stateDir,
    dispose: () => rmSync(home, { recursive: true, force: true }),
    run: (...args) => typed(args, home, { ...world, env: { FLEETMASK_STATE_DIR: stateDir, ...world.env } }),
  };
}

/** A command, typed by somebody whose home is this directory. */
export async function typed(args: readonly string[], home: string, world: Partial<Io>): Promise<Run> {
  const said = { stdout: '', stderr: '' };
  const output = (name: keyof typeof said): Io['stdout'] => ({
    write: (text) => {
      said[name] += text;
    },
    lost: null,
    settled: async () => {},
    isTTY: false,
    columns: undefined,
  });
  const io: Io = {
    args,
    env: {},
    cwd: home,
    home,
    systemConfig: join(home, 'etc', 'config.yaml'),
    guardrails: NO_GUARDRAILS,
    catalogue: new Map(),
    audit: 'none',
    actor: 'alice@bastion',
    user: 'alice',
    uid: userInfo().uid,
    machine: 'bastion',
    controller: { machine: 'bastion', pid: 1, bootId: null, namespace: null, started: null },
    // whoever worked before in this test has ended
    lifeOf: () => 'gone',
    stdout: output('stdout'),
    stderr: output('stderr'),
    recorded: () => {},
    readStdin: async () => '',
    prompt: async () => undefined,
    now: () => performance.now(),
    date: () => new Date(),
    onInterrupt: () => () => {},
    abort: (code) => {
      throw new Error(`aborted with ${code}`);
    },
    ...world,
  };
  return runOf(await fleetmask(io, '0.0.0-test'), said.stdout, said.stderr);
}

export function runOf(code: number, stdout: string, stderr: string): Run {
  const report = (): Report => {
    if (!stdout.startsWith('{')) throw new Error(`no report (exit ${code}): ${stderr || stdout}`);
    return JSON.parse(stdout) as Report;
  };
  return {
    code,
    stdout,
    stderr,
    get report() {
      return report();
    },
    on: (name) => {
      const found = report().hosts.find(({ host }) => host === name);
      if (found === undefined) throw new Error(`no report on ${name} (exit ${code}): ${stderr || stdout}`);
      return found;
    },
  };
}
