import { join } from 'node:path';
import { UsageError } from '../model/index.ts';
import { type Run, sshAsker } from './ask-ssh.ts';
import { Decider } from './decider.ts';
import { evaluate, type Local, one, type Question } from './evaluate.ts';
import { mistake, quoted, readLine } from './line.ts';
import { checkHost, checkUser } from './names.ts';
import { printedValues, type Resolved, toResolved } from './resolved.ts';
import { emptySource, type Item, readInto, readSetting, type Source } from './source.ts';

export type { Finished, Run } from './ask-ssh.ts';
export type { Jump } from './proxy-jump.ts';
export { type Ready, type Resolved, toSshG, type Unsupported } from './resolved.ts';

/** The client configuration of OpenSSH, read once, for all hosts of a run. */
export interface SshConfig {
  /**
   * What `ssh -G` would say about a host. Throws a UsageError for a name that ssh refuses and for values that cannot be
   * used. Starts ssh only where it alone can tell (Match exec, CanonicalizeHostname, …), once for hosts that are alike.
   */
  resolve(host: string, overrides?: Overrides): Promise<Resolved>;
}

/** What wins over all files, as on ssh's command line. */
export interface Overrides {
  readonly user?: string;
  readonly port?: number;
  /** As after `-o`: `Keyword=value` or `Keyword value`. */
  readonly options?: readonly string[];
}

export interface SshConfigOptions {
  /**
   * The user's and the system's file, both of which may be missing; or one file alone, as with `-F`, which must be
   * there; or none at all. Only the usual pair can be handed on to ssh where ssh has to be asked.
   */
  readonly files: { readonly user: string; readonly system: string } | { readonly only: string } | 'none';
  readonly home: string;
  readonly user: { readonly name: string; readonly uid: number };
  /** The name of this machine, for %l and %L. */
  readonly localHost: string;
  /** For file names that are not absolute. */
  readonly workingDirectory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly run: Run;
}

/** Reads the configuration. Throws a UsageError with `file:line` for a mistake, as ssh refuses the file as a whole. */
export function openSshConfig(options: SshConfigOptions): SshConfig {
  const { files, home, user, localHost: host, env } = options;
  const local: Local = { user: user.name, uid: user.uid, home, host, env };
  const source = readSource(options);
  const ask = sshAsker(options.run);
  const deciders = new Map<string, Decider>();
  const fileArguments = files === 'none' ? ['-F', 'none'] : 'only' in files ? ['-F', files.only] : [];
  let judgement: Promise<unknown> | undefined;
  /** ssh takes the files or refuses them as a whole, so that one host is enough, unless it is that host's own fault. */
  const judged = (name: string): Promise<unknown> => {
    // With names to follow ssh would ask the name servers.
    judgement ??= ask(name, ['-o', 'CanonicalizePermittedCNAMEs=none', ...fileArguments]).catch((error) => {
      judgement = undefined;
      throw error;
    });
    return judgement;
  };

  return {
    async resolve(name, overrides = {}) {
      checkHost(name);
      const extra = readOverrides(overrides);
      const question = (holds: Question['holds']): Question => ({ host: name, local, holds });
      const conclude = (holds: Question['holds']): ReturnType<typeof evaluate> =>
        evaluate(source, extra.items, question(holds));
      let opaque = source.dependsOnVersion || extra.source.dependsOnVersion;
      const settings = conclude(() => {
        opaque = true;
        return false;
      });
      const canonicalized = (one(settings, 'canonicalizehostname') ?? 'false') !== 'false';
      const finish = (values: ReadonlyMap<string, readonly string[]>, of: typeof settings): Resolved =>
        toResolved(
          values,
          of,
          question(() => false),
          options.workingDirectory,
        );
      if (!opaque && !canonicalized) {
        if (source.onlySshCanJudge) await judged(name);
        return finish(
          printedValues(
            settings,
            question(() => false),
          ),
          settings,
        );
      }

      const args = [...fileArguments, ...extra.args];
      const key = JSON.stringify(args);
      const decider = deciders.get(key) ?? new Decider();
      deciders.set(key, decider);
      const decided = await decider.decide(
        conclude,
        (of) =>
          printedValues(
            of,
            question(() => false),
          ),
        () => ask(name, args),
      );
      return finish(decided.values, decided.settings);
    },
  };
}

function readSource({ files, home, user, workingDirectory }: SshConfigOptions): Source {
  const source = emptySource();
  const includeDirectory = join(home, '.ssh');
  const owner = { home, uid: user.uid };
  if (files === 'none') return source;
  if ('only' in files) {
    const path = files.only.startsWith('/') ? files.only : join(workingDirectory, files.only);
    readInto(source, path, { ...owner, includeDirectory, trust: 'includes checked' });
    return source;
  }
  readInto(source, files.user, { ...owner, includeDirectory, trust: 'checked', mayBeMissing: true });
  const system = { includeDirectory: '/etc/ssh', trust: 'unchecked', mayBeMissing: true } as const;
  readInto(source, files.system, { ...owner, ...system });
  return source;
}

function readOverrides({ user, port, options = [] }: Overrides): { source: Source; items: Item[]; args: string[] } {
  const source = emptySource();
  const items: Item[] = [];
  const place = { file: 'command line', line: 0 };
  const add = (keyword: string, rest: string): void => {
    const item = readSetting({ keyword, rest, place }, source);
    if (item !== undefined) items.push(item);
  };
  const args: string[] = [];
  if (user !== undefined) {
    checkUser(user);
    add('User', `"${user.replace(/["\\]/g, '\\$&')}"`);
    args.push('-l', user);
  }
  if (port !== undefined) {
    add('Port', String(port));
    args.push('-p', String(port));
  }
  for (const option of options) {
    const line = readLine(option, place);
    if (line === undefined) throw new UsageError(`-o ${quoted(option)} says nothing.`, 'Write -o Keyword=value.');
    if (/^(host|match|include)$/i.test(line.keyword)) {
      throw mistake(place, `${line.keyword} belongs into a file, not after -o.`, 'Use -F with a file.');
    }
    add(line.keyword, line.rest);
    args.push('-o', option);
  }
  return { source, items, args };
}
