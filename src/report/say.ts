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

const DEEDS = {
  mask: 'Mask',
  unmask: 'Unmask',
  plan: 'Plan',
  status: 'Read',
} as const;

/** What an operator is asked before anything changes: `Mask cron (and stop it) on 12 hosts: web1 … web12? [y/N] `. */
export function describeAsk(
  run: Pick<RunInfo, 'id' | 'command' | 'units' | 'now' | 'runtime'>,
  hosts: readonly string[],
): string {
  const where = countHosts(hosts.length);
  if (run.command === 'rollback') {
    return safe(`Put ${where} back as before run ${run.id} (${listed(run.units)}): ${ends(hosts)}? [y/N] `);
  }
  const stop = run.now ? ` (and stop ${run.units.length === 1 ? 'it' : 'them'})` : '';
  const until = run.runtime ? ' until the next boot' : '';
  return safe(`${DEEDS[run.command]} ${listed(run.units)}${stop} on ${where}${until}: ${ends(hosts)}? [y/N] `);
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function ends(hosts: readonly string[]): string {
  return hosts.length <= 3 ? hosts.join(', ') : `${hosts[0]} … ${hosts.at(-1)}`;
}
