/** fleetmask as an operator runs it, in this process, against hosts of the lab; each operator has a state directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostReport, Report } from '../../src/model/index.ts';
import { type Run as Ran, typed } from '../operator.ts';
import type { Lab, LabHost } from './lab.ts';

export interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Throws, with what was said on stderr, where the command printed no report. */
  readonly report: Report;
  /** The report on one host; throws where there is none. */
  on(host: LabHost): HostReport;
  /** How it went with each host, and what was said on stderr: for whoever expected something else. */
  readonly said: string;
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
    // no window may be shorter than what one host may take
    const [, window] = / --confirm-within (\d+s)/.exec(command) ?? [];
    const time = window === undefined ? [] : ['--host-timeout', window];
    const limit = ['-l', hosts.map(({ name }) => name).join(',')];
    return [...words, ...time, ...consent, ...limit, '-i', this.#lab.inventory, ...this.#output()];
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
    const world = { actor: 'tester@lab', user: 'tester', env: { FLEETMASK_STATE_DIR: this.stateDir, ...env } };
    return asRun(await typed(args, this.stateDir, world));
  }

  forget(): void {
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

/** The outcome, with the fault where there is one. */
export const howItWent = ({ outcome, fault }: HostReport): string =>
  fault ? `${outcome}: ${fault.kind}: ${fault.message}` : outcome;

/** By hosts of the lab instead of names. */
export function asRun(ran: Ran): Run {
  return {
    exitCode: ran.code,
    stdout: ran.stdout,
    stderr: ran.stderr,
    get report() {
      return ran.report;
    },
    on: ({ name }) => ran.on(name),
    get said() {
      const hosts = ran.stdout.startsWith('{') ? ran.report.hosts : [];
      return [...hosts.map((host) => `${host.host}: ${howItWent(host)}`), ran.stderr].join('\n');
    },
  };
}
