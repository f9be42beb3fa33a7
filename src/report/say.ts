import type { RunInfo } from '../model/index.ts';
import { countHosts } from './hosts.ts';
import type { Output } from './output.ts';
import { prose } from './prose.ts';
import { safe } from './text.ts';

/** An operator's mistake: `fleetmask: message`, and a line with what to do about it. */
export function printError(err: Output, error: { readonly message: string; readonly hint?: string | undefined }): void {
  const [first = '', ...rest] = error.message.split('\n');
  err.write(prose([{ text: 'fleetmask:', style: 'alarm' }, { text: ` ${first}` }], err));
  for (const line of rest) err.write(prose([{ text: line }], err));
  if (error.hint !== undefined) err.write(prose([{ text: `hint: ${error.hint}`, style: 'quiet' }], err));
}

/**
 * What is asked after a change that the hosts roll back unless it is confirmed. Each time is what its host reports, so where they
 * differ, the host is named: one that reports a false time speaks for itself alone.
 */
export function describeKeeping(hosts: readonly { readonly host: string; readonly by: string }[]): string {
  const inOrder = hosts.toSorted((a, b) => (a.by < b.by ? -1 : a.by > b.by ? 1 : 0));
  const [first, last] = [inOrder[0]!, inOrder.at(-1)!];
  const when =
    first.by === last.by ? `at ${first.by}` : `from ${first.by} (${first.host}) to ${last.by} (${last.host})`;
  return safe(`Keep the change on ${countHosts(hosts.length)}? If not, automatic rollback ${when}. [y/N] `);
}

/** To whoever decides about a run that still works on other hosts; `changing`: how many it is changing just now. */
export function describeAtWork(run: string, command: string, changing: number): string {
  const now = changing === 0 ? '' : ` and is changing ${countHosts(changing)}`;
  return safe(
    `fleetmask: run ${run} is still at work${now}; for hosts that it changes from now on: fleetmask ${command} ${run}`,
  ).concat('\n');
}

const DEEDS = {
  mask: 'Mask',
  unmask: 'Unmask',
  plan: 'Plan',
  status: 'Read',
  confirm: 'Keep',
  extend: 'Prolong',
  release: 'Keep for good',
  watch: 'Watch, and mask again,',
} as const;

/** What an operator is asked before anything changes: `Mask cron (and stop it) on 12 hosts: web1 … web12? [y/N] `. */
export function describeAsk(
  run: Pick<RunInfo, 'id' | 'command' | 'units' | 'now' | 'runtime' | 'waves'>,
  hosts: readonly string[],
): string {
  const where = countHosts(hosts.length);
  // a run that is known from receipts names none: each host has its own
  const units = run.units.length === 0 ? '' : ` (${listed(run.units)})`;
  if (run.command === 'rollback') {
    return safe(`Put ${where} back as before run ${run.id}${units}: ${ends(hosts)}? [y/N] `);
  }
  if (run.command === 'recover') {
    return safe(`Settle ${where} of run ${run.id}${units}: ${ends(hosts)}? [y/N] `);
  }
  const stop = run.now ? ` (and stop ${run.units.length === 1 ? 'it' : 'them'})` : '';
  const until = run.runtime ? ' until the next boot' : '';
  const waves = run.waves ? ` in waves of ${sizes(run.waves)}` : '';
  return safe(`${DEEDS[run.command]} ${listed(run.units)}${stop} on ${where}${waves}${until}: ${ends(hosts)}? [y/N] `);
}

/** What an operator is asked who gives hosts up. */
export function describeForgetting(run: string, hosts: readonly string[]): string {
  const [them, they] = hosts.length === 1 ? ['it', 'it'] : ['them', 'they'];
  return safe(
    `Give up ${countHosts(hosts.length)} of run ${run}: ${ends(hosts)}? Nothing is asked of ${them}, and ${they} may stay changed. [y/N] `,
  );
}

/** What an operator is asked who interrupted a run: `2 hosts were changed: web1, web2. Put them back? [y/N] `. */
export function describeOffer(changed: readonly string[]): string {
  const [were, them] = changed.length === 1 ? ['was', 'it'] : ['were', 'them'];
  return safe(`${countHosts(changed.length)} ${were} changed: ${ends(changed)}. Put ${them} back? [y/N] `);
}

/** What an operator who does not take the offer, or is not there, is left with. */
export function sayKept(err: Output, run: string, changed: readonly string[]): void {
  const stay = changed.length === 1 ? 'was changed and stays' : 'were changed and stay';
  printError(err, {
    message: `interrupted: ${countHosts(changed.length)} ${stay} so: ${ends(changed)}`,
    hint: `fleetmask rollback ${run} puts ${changed.length === 1 ? 'it' : 'them'} back.`,
  });
}

/** The last words of a run that is ended at once. */
export function sayStopped(err: Output, run: string, inDoubt: readonly string[], undoable: boolean): void {
  if (inDoubt.length > 0) {
    printError(err, {
      message: `stopped at once; in doubt, they may have been changed: ${inDoubt.join(', ')}`,
      hint: `fleetmask recover ${run} settles them.`,
    });
  } else printError(err, { message: 'stopped at once; no host is in doubt' });
  if (undoable) {
    const back = `fleetmask rollback ${run} puts back every host that the run changed.`;
    err.write(prose([{ text: `hint: ${back}`, style: 'quiet' }], err));
  }
}

/** `1, 5 and 44`; equal ones together: `5, 3 × 50 and 45`. */
function sizes(waves: readonly number[]): string {
  const runs: { size: number; times: number }[] = [];
  for (const size of waves) {
    const last = runs.at(-1);
    if (last?.size === size) last.times += 1;
    else runs.push({ size, times: 1 });
  }
  return listed(runs.map(({ size, times }) => (times === 1 ? String(size) : `${times} × ${size}`)));
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function ends(hosts: readonly string[]): string {
  return hosts.length <= 3 ? hosts.join(', ') : `${hosts[0]} … ${hosts.at(-1)}`;
}
