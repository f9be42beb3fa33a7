/** A person at a terminal without a terminal: runs commands in this process and keeps what they print. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fleetmask } from '../src/cli/index.ts';
import type { Io } from '../src/cli/io.ts';
import type { HostReport, Report } from '../src/model/index.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON report; throws when stdout is not exactly one. */
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
    run: async (...args) => {
      const said = { stdout: '', stderr: '' };
      const output = (name: keyof typeof said): Io['stdout'] => ({
        write: (text) => {
          said[name] += text;
        },
        isTTY: false,
        columns: undefined,
      });
      const code = await fleetmask(
        {
          args,
          cwd: home,
          home,
          actor: 'alice@bastion',
          user: 'alice',
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
          ...world,
          env: { FLEETMASK_STATE_DIR: stateDir, ...world.env },
        },
        '0.0.0-test',
      );
      const report = () => JSON.parse(said.stdout) as Report;
      return {
        code,
        ...said,
        get report() {
          return report();
        },
        on: (host) => {
          const found = report().hosts.find((each) => each.host === host);
          if (!found) throw new Error(`no report on ${host}: ${said.stderr}`);
          return found;
        },
      };
    },
  };
}
