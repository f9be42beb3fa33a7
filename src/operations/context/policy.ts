/** What the administrator of this machine and its user lay down: guardrails, logical names of the site, and where changes are logged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { at, didYouMean, UsageError } from '../../model/index.ts';
import type { SiteCatalogue } from '../../plan/catalog.ts';
import { type Guardrails, NO_GUARDRAILS } from '../../plan/guardrails.ts';
import type { Audit, Io } from '../io.ts';
import { guardrailsFrom } from './guardrails-settings.ts';
import { siteCatalogueFrom } from './site-catalogue.ts';
import { assertOurs } from './strict-modes.ts';

/** Whose settings a file holds. */
export type Layer = 'machine' | 'user' | 'directory';

export interface Policy {
  /** Of /etc/fleetmask/config.yaml alone: no other source can loosen them. */
  readonly guardrails: Guardrails;
  /** Of the user's and the machine's settings; the user's wins. */
  readonly catalogue: SiteCatalogue;
  /** `syslog` where the machine's or the user's settings say so: neither turns off what the other wants. */
  readonly audit: Audit;
}

const POLICIES = ['guardrails', 'catalogue', 'audit'] as const;

/** What holds for whoever does not read flags from files. */
export function policyOf(io: Io): Policy {
  // flags are the command line's; but a guardrail that is misspelt guards nothing
  const noFlags = (file: string) => (key: string, _: unknown, line: number | undefined) => {
    const near = didYouMean(key, POLICIES);
    if (near !== undefined) throw new UsageError(at(file, line, `unknown setting ${JSON.stringify(key)}`), near);
  };
  const read = (file: string, layer: Layer) => readSettingsFile(io, file, layer, noFlags(file));
  return joined(read(io.systemConfig, 'machine'), read(userConfig(io), 'user'));
}

export function joined(machine: Policy, user: Policy): Policy {
  return {
    guardrails: machine.guardrails,
    catalogue: new Map([...machine.catalogue, ...user.catalogue]),
    audit: [machine.audit, user.audit].includes('syslog') ? 'syslog' : 'none',
  };
}

export function userConfig({ env, home }: Io): string {
  return join(env.XDG_CONFIG_HOME || join(home, '.config'), 'fleetmask', 'config.yaml');
}

/** `setting` is called for each key that is no policy. Throws UsageError, with file:line, for a file that others could have written. */
export function readSettingsFile(
  io: Io,
  file: string,
  layer: Layer,
  setting: (key: string, value: unknown, line: number | undefined) => void,
): Policy {
  const text = textOf(file);
  if (text === null) return { guardrails: NO_GUARDRAILS, catalogue: new Map(), audit: 'none' };
  const instead = layer === 'directory' ? 'or run the command in another directory' : undefined;
  assertOurs(io, file, 'these settings', instead);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error) throw new UsageError(at(file, error.linePos?.[0].line, error.message.split('\n')[0] ?? 'not YAML'));
  const found = (document.toJS() ?? {}) as unknown;
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new UsageError(at(file, 1, 'settings are a map of flag names to values'), 'For example: forks: 20');
  }
  let guardrails = NO_GUARDRAILS;
  let catalogue: SiteCatalogue = new Map();
  let audit: Audit = 'none';
  for (const [key, value] of Object.entries(found)) {
    const line = text.split('\n').findIndex((candidate) => candidate.startsWith(`${key}:`)) + 1 || undefined;
    if (key === 'guardrails') {
      if (layer !== 'machine') {
        throw new UsageError(
          at(file, line, 'guardrails are not for these settings'),
          `They belong in ${io.systemConfig}.`,
        );
      }
      guardrails = guardrailsFrom(document.get(key, true), file, lines);
    } else if (key === 'catalogue') {
      if (layer === 'directory') {
        // who can say what a name means decides what is masked
        const hint = `It belongs in ~/.config/fleetmask/config.yaml or in ${io.systemConfig}.`;
        throw new UsageError(at(file, line, 'a catalogue is not for these settings'), hint);
      }
      catalogue = siteCatalogueFrom(document.get(key, true), file, lines);
    } else if (key === 'audit' && layer !== 'directory') {
      if (value !== 'syslog' && value !== 'none') {
        throw new UsageError(at(file, line, `audit: no such choice: ${JSON.stringify(value)}`), 'Use syslog or none.');
      }
      audit = value;
    } else setting(key, value, line);
  }
  return { guardrails, catalogue, audit };
}

/** Null where there is none. One that cannot be read is not passed over: it may hold guardrails. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UsageError(`${file}: these settings cannot be read: ${code ?? message}`, 'Check its permissions.');
  }
}
