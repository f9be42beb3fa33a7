import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Finished, SshConfigOptions } from '../../src/ssh-config/index.ts';
import { KEYWORDS } from '../../src/ssh-config/keywords.ts';

/** The corpus, and what the real ssh says about it. */
export interface Situation {
  readonly name: string;
  readonly file: string;
  readonly hosts: readonly string[];
}

/** By key: the lines that differ from those for an empty file, and `null` for a key that is no longer printed. */
export type Answer = { readonly [key: string]: readonly string[] | null } | { readonly errorAtLine: number };
export type Lines = ReadonlyMap<string, readonly string[]>;

const CORPUS = join(import.meta.dirname, 'corpus');
/** Seen by ssh and by the evaluator alike. */
export const ENV = { KEYS: '/keys', PATH: '/usr/local/bin:/usr/bin:/bin', SSH_AUTH_SOCK: '/run/agent' };
/** The machine on which the expectations were recorded. */
export const RECORDED = { home: '/root', user: { name: 'root', uid: userInfo().uid }, localHost: 'vm' };
export const HERE = {
  home: userInfo().homedir,
  user: { name: userInfo().username, uid: userInfo().uid },
  localHost: hostname(),
};

/** Copies the corpus where its files can have the permissions that ssh asks for, and names that are known. */
export function unpackCorpus(): { readonly directory: string; readonly situations: readonly Situation[] } {
  const directory = mkdtempSync(join(tmpdir(), 'ssh-config-'));
  cpSync(CORPUS, directory, { recursive: true });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    chmodSync(file, 0o600);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('@DIR@', directory));
  }
  const situations = readdirSync(directory)
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => {
      const file = join(directory, name);
      const [, hosts = ''] = /^# hosts: (.*)/.exec(readFileSync(file, 'utf8')) ?? [];
      return { name: name.replace(/\.conf$/, ''), file, hosts: hosts.trim().split(' ') };
    });
  return { directory, situations };
}

export function recordedAnswers(): ReadonlyMap<string, Readonly<Record<string, Answer>>> {
  return new Map(Object.entries(JSON.parse(readFileSync(join(import.meta.dirname, 'expected.json'), 'utf8'))));
}

/** The first line of `ssh -V`, when there is an ssh. */
export function sshVersion(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' }).match(/OpenSSH\S+/)?.[0];
  } catch {
    return undefined;
  }
}

export function run(program: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(program, [...args], { env: ENV, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
    });
  });
}

/** What ssh says; an error as the number of its line, 0 where ssh does not tell. */
export async function askSsh(file: string, host: string): Promise<Lines | { readonly errorAtLine: number }> {
  const { code, stdout, stderr } = await run('ssh', ['-T', '-G', '-F', file, '--', host]);
  if (code !== 0) return { errorAtLine: Number(/ line (\d+)/.exec(stderr)?.[1] ?? 0) };
  return byKey(stdout.trim().split('\n'));
}

/** Lines of `ssh -G` by their key, as far as the evaluator claims to know the key. */
export function byKey(lines: readonly string[]): Lines {
  const keys = new Map<string, string[]>();
  for (const line of lines) {
    const key = line.replace(/ .*/s, '').toLowerCase();
    const store = KEYWORDS.get(key)?.store;
    if (key !== 'host' && (store === undefined || store === 'unsupported' || store === 'ignored')) continue;
    keys.set(key, [...(keys.get(key) ?? []), line.slice(key.length + 1)]);
  }
  return keys;
}

/** How an answer differs from the one for an empty file. */
export function difference(lines: Lines, plain: Lines, directory: string): Answer {
  const found: Record<string, readonly string[] | null> = {};
  for (const key of [...new Set([...lines.keys(), ...plain.keys()])].sort()) {
    const [mine, other] = [lines.get(key), plain.get(key)];
    if (JSON.stringify(mine) === JSON.stringify(other)) continue;
    found[key] = mine?.map((line) => line.replaceAll(directory, '@DIR@')) ?? null;
  }
  return found;
}

export function options(file: string, local: typeof HERE, more: Partial<SshConfigOptions> = {}): SshConfigOptions {
  return { files: { only: file }, ...local, workingDirectory: '/work', env: ENV, run, ...more };
}
