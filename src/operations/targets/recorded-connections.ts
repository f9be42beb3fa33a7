/**
 * Plan files and journals say how hosts are reached: at which addresses, and by which commands of this machine. Whoever can write one could
 * have chosen them, so what they say beyond the inventory and ssh_config of now is shown, and a person agrees to it.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JournalHost, printable, type Target, UsageError } from '../../model/index.ts';
import { canonical } from '../../run/saved-plan.ts';
import { stateDir } from '../context/state-directory.ts';
import { assertOurs } from '../context/strict-modes.ts';
import { agreed } from '../fleet-run.ts';
import { BrokenOff, type Io } from '../io.ts';
import type { Ways } from './resolve-target.ts';

export interface TrustFlags {
  readonly 'trust-plan'?: boolean | undefined;
}

/** Longer ones are cut, and cannot be agreed to unseen. */
const MAX_SHOWN = 4000;

/**
 * The hosts as this account records them: a seal tells later that their addresses were taken from its own inventory, and not from a file
 * that somebody made. Without a state directory that can be written there is none, and the addresses will be shown.
 */
export function sealed(io: Io, hosts: readonly JournalHost[]): JournalHost[] {
  const key = keyOf(io, 'create');
  return key === null ? [...hosts] : hosts.map((host) => ({ ...host, seal: sealOf(host, key) }));
}

/**
 * `hosts`: as they would be reached. Throws UsageError where they would be reached by a command, or under an address without our seal, that
 * neither ssh_config nor a person gives; `--trust-plan` is a person's word. `ways`: by ssh_config and flags, as of now.
 */
export async function agreeToConnections(
  io: Io,
  recorded: ReadonlyMap<string, JournalHost>,
  hosts: readonly JournalHost[],
  ways: Ways,
  flags: TrustFlags,
): Promise<void> {
  if (flags['trust-plan']) return;
  const key = keyOf(io, 'read');
  const found = new Map<string, string[]>();
  for (const host of hosts) {
    const commands = commandsOf(host);
    const known = isSealed(recorded.get(host.host), key);
    if (known && commands.length === 0) continue;
    const now = await givenNow(host, ways);
    const foreign = [
      ...commands.filter((each) => !now.commands.includes(each)),
      ...(known ? [] : placesOf(host).filter((each) => !now.places.includes(each))),
    ];
    for (const each of foreign) found.set(each, [...(found.get(each) ?? []), host.host]);
  }
  if (found.size === 0) return;
  const lines = [...found].map(([what, names]) => `  ${shown(what)}  (${names.join(', ')})`);
  const head = 'the plan or journal names what neither your inventory nor your ssh_config gives:';
  if ([...found.keys()].some((each) => each.length > MAX_SHOWN)) {
    throw new UsageError([head, ...lines].join('\n'), 'Name the inventory with -i.');
  }
  const question = `${[head, ...lines].join('\n')}\nUse it? [y/N] `;
  const answer = await io.prompt(question, 'shown');
  if (answer === null) throw new BrokenOff();
  if (answer === undefined) {
    throw new UsageError(
      [head, ...lines].join('\n'),
      'Check it, then add --trust-plan; or name the inventory with -i.',
    );
  }
  if (!agreed(answer)) throw new UsageError('not agreed: nothing was touched');
}

function shown(what: string): string {
  return printable(what, MAX_SHOWN);
}

/** What ssh_config gives: for the host's name, and a command also for the address that ssh would be called with. */
async function givenNow(host: JournalHost, ways: Ways): Promise<{ commands: string[]; places: string[] }> {
  const asked = { name: host.host, groups: [], vars: new Map() };
  const connection = { address: host.ssh?.destination ?? host.address, user: host.user, port: host.port };
  const byName = await ways.targetOf({ ...asked, connection: {} });
  const byAddress = await ways.targetOf({ ...asked, connection });
  return { commands: [...commandsOf(byName), ...commandsOf(byAddress)], places: placesOf(byName) };
}

/** Options of ssh that run a program of this machine, or load one. */
const PROGRAM_OPTION = /^\s*"?(?:knownhostscommand|pkcs11provider|securitykeyprovider|localcommand|xauthlocation)\b/i;

/** Of the host and the bastions before it. */
function commandsOf({ proxy, ssh }: Target): string[] {
  const options = (ssh?.options ?? []).filter((option) => PROGRAM_OPTION.test(option));
  return [
    ...options.map((option) => `option -o ${option}`),
    ...(proxy === undefined ? [] : proxy.kind === 'command' ? [`command ${proxy.command}`] : commandsOf(proxy.via)),
  ];
}

/** Where and as whom one would connect, and by what the host would be known. */
function placesOf({ proxy, user, address, port, ssh, ...known }: Target): string[] {
  const { hostKeyChecking, hostKeyAlias, knownHostsFiles = [] } = known;
  return [
    `address ${user}@${address}:${port}`,
    ...(ssh?.config === undefined ? [] : [`ssh_config ${ssh.config}`]),
    ...(ssh?.options ?? []).map((option) => `option -o ${option}`),
    ...(ssh?.control === undefined ? [] : [`ControlPath ${ssh.control}`]),
    ...(hostKeyChecking === undefined ? [] : [`host-key-checking ${hostKeyChecking}`]),
    ...(hostKeyAlias === undefined ? [] : [`host key of ${hostKeyAlias}`]),
    ...knownHostsFiles.map((file) => `known_hosts ${file}`),
    ...(proxy?.kind === 'jump' ? placesOf(proxy.via) : []),
  ];
}

function sealOf({ seal: _, ...host }: JournalHost, key: string): string {
  return createHmac('sha256', key).update(canonical(host)).digest('hex');
}

function isSealed(host: JournalHost | undefined, key: string | null): boolean {
  if (host?.seal === undefined || key === null) return false;
  const [own, found] = [sealOf(host, key), String(host.seal)].map((text) => Buffer.from(text));
  return own!.length === found!.length && timingSafeEqual(own!, found!);
}

/** The secret of the seals, for its owner alone; null where there is none. */
function keyOf(io: Io, missing: 'create' | 'read'): string | null {
  const file = join(stateDir(io), 'seal.key');
  try {
    assertOurs(io, file, 'the key of the seals');
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') {
      if (error instanceof UsageError) throw error;
      return null;
    }
  }
  return missing === 'create' ? createKey(io, file) : null;
}

/** Of two processes at once, both take the key of the first. */
function createKey(io: Io, file: string): string | null {
  const fresh = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(stateDir(io), { recursive: true, mode: 0o700 });
    writeFileSync(fresh, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
    try {
      linkSync(fresh, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  } finally {
    rmSync(fresh, { force: true });
  }
}
