import { printable, UsageError } from '../model/index.ts';
import { DEFAULTS, KEYWORDS, LINE_PER_VALUE } from './keywords.ts';
import { quoted } from './line.ts';
import type { Values } from './resolved.ts';

/** Runs a program to its end. Never rejects because of how it ends; may reject when there is no such program. */
export type Run = (program: string, args: readonly string[]) => Promise<Finished>;
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How many may run at once: ssh may in turn run commands of the configuration. */
const AT_ONCE = 8;
const LISTS = new Set(['userknownhostsfile', 'globalknownhostsfile']);
const ALWAYS = new Set(['host', 'hostname', 'user', 'port', ...DEFAULTS.keys()]);

/** Asks `ssh -G` about a host. `args` are the options before the host's name. */
export function sshAsker(run: Run): (host: string, args: readonly string[]) => Promise<Values> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (host, args) => {
    if (running >= AT_ONCE) await new Promise<void>((resume) => waiting.push(resume));
    else running++;
    try {
      return readValues(await run('ssh', ['-T', '-G', ...args, '--', host]), host);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const why = printable((error as Error).message);
      const hint = 'Install the OpenSSH client, or give another file with -F.';
      throw new UsageError(
        `The ssh configuration of ${quoted(host)} needs ssh itself, which did not run: ${why}`,
        hint,
      );
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

function readValues({ code, stdout, stderr }: Finished, host: string): Values {
  if (code !== 0) {
    const why = stderr
      .split(/[\r\n]+/)
      .filter((line) => line !== '')
      .slice(0, 3)
      .join('; ');
    throw new UsageError(`ssh -G ${quoted(host)} failed: ${printable(why)}`, 'Correct the ssh configuration.');
  }
  const values = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const end = line.indexOf(' ');
    const key = line.slice(0, end < 0 ? undefined : end).toLowerCase();
    if (!isPrinted(key) || end < 0) continue;
    const rest = line.slice(end + 1);
    if (LINE_PER_VALUE.has(key)) values.set(key, [...(values.get(key) ?? []), rest]);
    else values.set(key, LISTS.has(key) ? rest.split(' ') : [rest]);
  }
  if (values.get('hostname') === undefined) {
    throw new UsageError(`ssh -G ${quoted(host)} printed nothing that can be used.`, 'Check which ssh is on the PATH.');
  }
  return values;
}

function isPrinted(key: string): boolean {
  const keyword = KEYWORDS.get(key);
  return ALWAYS.has(key) || (keyword !== undefined && keyword.store !== 'unsupported' && keyword.store !== 'ignored');
}

/** Whether two sets of values would be printed alike. */
export function printedAlike(a: Values, b: Values): boolean {
  const text = (values: Values): string =>
    [...values]
      .map(([key, all]) => `${key} ${all.join(LINE_PER_VALUE.has(key) ? '\n' : ' ')}`)
      .sort()
      .join('\n');
  return text(a) === text(b);
}
