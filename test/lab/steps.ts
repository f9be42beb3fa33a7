/**
 * The remote program, held inside a host before or after any program that it runs: so a fault can be let in at each of its steps,
 * and not at the moments that a clock happens to hit. A stand-in for each program waits in the path of SSH sessions; what tests run
 * in the host (`exec`) goes past it.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { Operator } from './fleetmask.ts';
import { type Dumps, daemon, dumps, ENABLED, OFTEN, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';

const PROGRAMS = ['ln', 'mkdir', 'rm', 'stat', 'systemctl'];
const STAND_IN = '/usr/local/bin/at-a-step';

/** Keeps no lock of the program while it waits: a program that hangs before it is started keeps none either. */
const TEXT = `#!/bin/sh
name=\${0##*/}
if [ -z "\${SSH_CONNECTION-}" ] || ! [ -e /run/steps/at ]; then exec "/usr/bin/$name" "$@"; fi
hold() {
  rm -f /run/steps/at
  : >/run/steps/held
  while [ -e /run/steps/held ]; do sleep 0.02; done
}
exec 9>&-
echo "$name $*" >>/run/steps/log
read -r at when </run/steps/at
step=$(wc -l </run/steps/log)
[ "$step $when" != "$at before" ] || hold
"/usr/bin/$name" "$@"
status=$?
[ "$step $when" != "$at after" ] || hold
exit "$status"
`;

export interface Step {
  /** From 1, over all that the session runs. */
  readonly number: number;
  readonly when: 'before' | 'after';
  readonly command: string;
}

export const told = ({ when, command }: Step): string => `${when} ${command}`;

/** Puts the stand-ins there. They do nothing until a step is to be held. */
async function stageSteps(hosts: readonly LabHost[]): Promise<void> {
  await Promise.all(
    hosts.map(async (host) => {
      await host.writeFile(STAND_IN, TEXT, 0o755);
      await sh(host, PROGRAMS.map((name) => `ln -sf at-a-step /usr/local/bin/${name}`).join('; '));
    }),
  );
}

export async function unstageSteps(hosts: readonly LabHost[]): Promise<void> {
  const gone = PROGRAMS.map((name) => `/usr/local/bin/${name}`).join(' ');
  await Promise.all(hosts.map((host) => sh(host, `/usr/bin/rm -rf ${gone} ${STAND_IN} /run/steps`)));
}

/**
 * Hosts with an enabled service of this name that runs: how it is there, and all that a session runs for `ask` on each. What that
 * did is undone.
 */
export async function rehearse(
  operator: Operator,
  hosts: readonly LabHost[],
  name: string,
  ask: string,
): Promise<{ before: Dumps[]; ran: string[][] }> {
  const everywhere = <T>(work: (host: LabHost) => Promise<T>) => Promise.all(hosts.map(work));
  await stageSteps(hosts);
  const service = unit(`${name}.service`, `${OFTEN}${daemon(ENABLED)}`);
  await everywhere((host) => sh(host, `${service} systemctl enable -q --now ${name}`));
  const before = await everywhere((host) => dumps(host, [`${name}.service`]));
  await everywhere((host) => holdAt(host, { number: 0, when: 'before' }));
  const run = await operator.do(ask, hosts);
  const ran = hosts.map(stepsOf);
  await operator.undo(run);
  return { before, ran };
}

/** Holds the next session at this step; 0: lets it pass, and keeps a list. */
export async function holdAt(host: LabHost, step: Pick<Step, 'number' | 'when'>): Promise<void> {
  await sh(host, `rm -rf /run/steps; mkdir -p /run/steps; echo ${step.number} ${step.when} >/run/steps/at`);
}

/** What the sessions ran since `holdAt`, in order. */
export function stepsOf(host: LabHost): string[] {
  return readFileSync(inside(host, '/run/steps/log'), 'utf8').split('\n').filter(Boolean);
}

export async function untilHeld(host: LabHost, seconds = 120): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!existsSync(inside(host, '/run/steps/held'))) {
    if (Date.now() > deadline) throw new Error(`${host.name} came to no step in ${seconds} s: ${stepsOf(host)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function release(host: LabHost): void {
  rmSync(inside(host, '/run/steps/held'), { force: true });
}

/** Written past everything that may hang or be dead in there. */
export function inside(host: LabHost, path: string): string {
  return `/proc/${host.nsenter([])[2]}/root${path}`;
}
