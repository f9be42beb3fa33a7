/** What the systemd contract needs of a host, real or simulated, and the few things that it does with one. */

import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { partsOfProbe, source } from '../../src/remote/program-source.ts';
import { Answer, newNonce } from '../../src/remote/protocol.ts';
import { Requests, type Stored, type Wish } from '../../src/remote/requests.ts';

export interface SystemdUnderTest {
  /** systemd's version. */
  readonly version: number;
  /** `sh -c SCRIPT` as root on the host. $FLEETMASK_ROOT is set where the host is simulated. */
  shell(script: string): ChildProcessWithoutNullStreams;
  /** No unit named fm-*, no receipt, no lock is left of an earlier case. Whoever calls it reloads systemd then. */
  reset(): Promise<void>;
}

/** Unit files and links (path → text, path → target); these units are then started, one after the other. */
export interface Given {
  readonly files?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly running?: readonly string[];
}

export interface Ran {
  readonly code: number | null;
  /** stdout and stderr. */
  readonly output: string;
}

/** What the script printed and how it ended; rejects when it takes too long. */
export function run(host: SystemdUnderTest, script: string, timeoutMs = 60_000, input = ''): Promise<Ran> {
  const child = host.shell(script);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`not done in time: ${script}\n${output}`));
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output: output.trimEnd() });
    });
  });
}

export async function arrange(host: SystemdUnderTest, { files = {}, links = {}, running = [] }: Given): Promise<void> {
  await host.reset();
  const writes = [
    ...Object.entries(files).map(([path, text]) => `file '${path}' <<'END OF FILE'\n${text}END OF FILE\n`),
    ...Object.entries(links).map(([path, target]) => `link '${path}' '${target}'\n`),
  ];
  const { code, output } = await run(
    host,
    `file() { mkdir -p "\${FLEETMASK_ROOT-}\${1%/*}" && cat >"\${FLEETMASK_ROOT-}$1"; }
link() { mkdir -p "\${FLEETMASK_ROOT-}\${1%/*}" && ln -s "$2" "\${FLEETMASK_ROOT-}$1"; }
${writes.join('')}systemctl daemon-reload
for unit in ${running.map((unit) => `'${unit}'`).join(' ')}; do systemctl start "$unit" || exit; done`,
  );
  if (code !== 0) throw new Error(`could not arrange: ${output}`);
}

/** The named properties of a unit, as a line of values. */
export async function read(host: SystemdUnderTest, unit: string, ...properties: string[]): Promise<string> {
  const { output } = await run(host, `systemctl show ${properties.map((each) => `-p${each}`).join(' ')} -- '${unit}'`);
  const values = new Map(output.split('\n').map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]));
  return properties.map((property) => values.get(property)?.split(' ').sort().join(' ') ?? '?').join(' ');
}

/** UnitFileState of a mask, which systemd tells since 238. */
export function fileOfMask(version: number, file: string): string {
  return version < 228 ? '' : version < 238 ? 'bad' : file;
}

/** What an answer of the remote program told. */
export interface Told {
  /** Exit status by step; `untried` for what was not tried. */
  readonly steps: Readonly<Record<string, string>>;
  /** What the steps said. */
  readonly said: readonly string[];
  /** Properties by unit, without those that are empty. */
  readonly units: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** All other records, as `KIND TEXT`. */
  readonly rest: readonly string[];
}

/** Words of a request to the remote program, or something that happens meanwhile. */
export type Turn = Request | { readonly request: Request; readonly stored: Stored } | ((talk: Talk) => unknown);

type Request = readonly [verb: string, ...words: string[]];

/** The conversation as it stands. */
export interface Talk {
  readonly child: ChildProcessWithoutNullStreams;
  readonly nonce: string;
  readonly requests: Requests;
}

/** What is probed: names, or names with what is to be told besides. */
type Probed = readonly string[] | { readonly names: readonly string[]; readonly wishes: readonly Wish[] };

/** Starts the remote program, probes, then takes the turns, each when the one before was answered or has ended. */
export async function converse(host: SystemdUnderTest, probed: Probed, ...turns: Turn[]): Promise<Told[]> {
  const { names, wishes } = 'names' in probed ? probed : { names: probed, wishes: [] };
  const nonce = newNonce();
  const requests = new Requests(nonce);
  const child = host.shell('exec sh -s -- root');
  const told: Told[] = [];
  let complaints = '';
  // It may be gone before all was said.
  child.stdin.on('error', () => {});
  child.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    // What it had started may hold its output open for longer. Immediates come after what can be read by then.
    child.on('exit', () => setTimeout(() => setImmediate(resolve), 300));
  });
  for (const turn of ['probe', ...turns] as const) {
    if (typeof turn === 'function') {
      await turn({ child, nonce, requests });
      continue;
    }
    const seq = told.length;
    const answer = new Answer(nonce, seq);
    const answered = new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        const state = answer.take(chunk);
        if (state.kind === 'done') resolve();
        if (state.kind === 'broken') reject(new Error(state.why));
      });
      void ended.then(() => reject(new Error(`the program ended: ${complaints}`)));
    });
    if (turn === 'probe') child.stdin.write(requests.probe(seq, names, wishes));
    else {
      const { request, stored } = 'stored' in turn ? turn : { request: turn, stored: null };
      const [verb, ...words] = request;
      if (verb === 'apply' || verb === 'undo' || verb === 'keep')
        child.stdin.write(requests.later(verb, seq, words, stored));
      else {
        // no session asks so
        const parts = verb === 'probe' ? `${source(partsOfProbe(words))}\n` : '';
        const quoted = words.map((word) => `'${word}'`).join(' ');
        child.stdin.write(`{\n${parts}next ${nonce} ${seq} ${verb} ${quoted} end\n}\n`);
      }
    }
    await answered;
    child.stdout.removeAllListeners('data');
    told.push(understand(answer.records));
  }
  child.stdin.end();
  child.stdout.resume();
  await ended;
  // A simulated host has no processes of its own to look up, busybox tells of a time-out, and who does not listen is complained about.
  const complaint = complaints.split('\n').find((line) => !/^$|^Terminated$|\/proc\//.test(line));
  if (complaint !== undefined && !child.stdout.destroyed) throw new Error(`the program complained: ${complaint}`);
  return told;
}

function understand(records: readonly HostRecord[]): Told {
  const steps: Record<string, string> = {};
  const said: string[] = [];
  const rest: string[] = [];
  const units = new Map<string, Record<string, string>>();
  let unit: Record<string, string> = {};
  for (const { kind, text } of records) {
    const [first = '', second = ''] = text.split(' ');
    if (kind === 'step') steps[first] = second;
    else if (kind === 'said') said.push(text);
    else if (kind !== 'unit') rest.push(`${kind} ${text}`);
    else if (text !== '') unit[text.slice(0, text.indexOf('='))] = text.slice(text.indexOf('=') + 1);
    else {
      units.set(unit.Id ?? '', unit);
      unit = {};
    }
  }
  return { steps, said, units, rest };
}
