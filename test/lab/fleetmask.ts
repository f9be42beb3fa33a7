/** fleetmask as an operator runs it, in this process, against hosts of the lab; each operator has a state directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fleetmask } from '../../src/cli/index.ts';
import type { Io } from '../../src/cli/io.ts';
import type { HostReport, Report } from '../../src/model/index.ts';
import type { Lab, LabHost } from './lab.ts';

export interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Throws, with what was said on stderr, where the command printed no report. */
  readonly report: Report;
  /** The report on one host; throws where there is none. */
  on(host: LabHost): HostReport;
}

type Settings = Readonly<Record<string, string>>;

export class Operator {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'fleetmask-lab-'));
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** `mask x.service --now` and the like, on these hosts, without being asked. */
  do(command: string, hosts: readonly LabHost[], env: Settings = {}): Promise<Run> {
    return this.run(this.argv(command, hosts), env);
  }

  /** The arguments that `do` runs with. */
  argv(command: string, hosts: readonly LabHost[]): string[] {
    const words = command.split(' ');
    const consent = /^(mask|unmask)$/.test(words[0] ?? '') ? ['-y'] : [];
    const limit = ['-l', hosts.map(({ name }) => name).join(',')];
    return [...words, ...consent, ...limit, '-i', this.#lab.inventory, ...this.#output()];
  }

  /** Puts back what a run did; all it knows of the hosts is in the journal. */
  undo(run: Run | string, ...more: string[]): Promise<Run> {
    const id = typeof run === 'string' ? run : run.report.run.id;
    return this.run(['rollback', id, '-y', ...more, ...this.#output()]);
  }

  /** `confirm RUN` and the like: what is decided about an earlier run. */
  decide(command: string, run: Run | string, ...more: string[]): Promise<Run> {
    const id = typeof run === 'string' ? run : run.report.run.id;
    return this.run([command, id, ...more, ...this.#output()]);
  }

  #output(): string[] {
    return ['--known-hosts', this.#lab.knownHosts, '-o', 'json'];
  }

  async run(args: readonly string[], env: Settings = {}): Promise<Run> {
    const said = { stdout: '', stderr: '' };
    const output = (name: keyof typeof said): Io['stdout'] => ({
      write: (text) => {
        said[name] += text;
      },
      isTTY: false,
      columns: undefined,
    });
    const io: Io = {
      args,
      env: { FLEETMASK_STATE_DIR: this.stateDir, ...env },
      cwd: this.stateDir,
      home: this.stateDir,
      actor: 'tester@lab',
      user: 'tester',
      uid: userInfo().uid,
      machine: 'bastion',
      controller: { machine: 'bastion', pid: 1, bootId: null, namespace: null, started: null },
      // whoever worked before in this test has ended
      lifeOf: () => 'gone',
      stdout: output('stdout'),
      stderr: output('stderr'),
      readStdin: async () => '',
      prompt: async () => undefined,
      now: () => performance.now(),
      date: () => new Date(),
      onInterrupt: () => () => {},
      abort: (code) => {
        throw new Error(`aborted with ${code}`);
      },
    };
    return runOf(await fleetmask(io, '0.0.0-lab'), said.stdout, said.stderr);
  }

  forget(): void {
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

export function runOf(exitCode: number, stdout: string, stderr: string): Run {
  const report = (): Report => {
    if (!stdout.startsWith('{')) throw new Error(`no report (exit ${exitCode}): ${stderr || stdout}`);
    return JSON.parse(stdout) as Report;
  };
  return {
    exitCode,
    stdout,
    stderr,
    get report() {
      return report();
    },
    on: ({ name }) => {
      const found = report().hosts.find(({ host }) => host === name);
      if (found === undefined) throw new Error(`no report on ${name}: ${stdout}`);
      return found;
    },
  };
}
