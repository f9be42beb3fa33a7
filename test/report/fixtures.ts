import { createRequire } from 'node:module';
import {
  type Command,
  type Fault,
  type FaultKind,
  fault,
  type HostReport,
  type Outcome,
  type Report,
  type RunInfo,
  type UnitReport,
  type UnitState,
} from '../../src/model/index.ts';
import type { Output } from '../../src/report/index.ts';

/** Columns of a text: not by our own measure, but by that of the library that draws. */
export const columnsOf: (text: string) => number = createRequire(createRequire(import.meta.url).resolve('cli-table3'))(
  'string-width',
);

export const ENABLED: UnitState = { load: 'loaded', file: 'enabled', active: 'active' };
export const MASKED: UnitState = { load: 'masked', file: 'masked', active: 'inactive' };

export function unit(name: string, rest: Partial<UnitReport> = {}): UnitReport {
  return {
    asked: 'cron',
    unit: name,
    before: ENABLED,
    after: MASKED,
    startProbe: 'blocked',
    triggers: [],
    steps: [],
    leftovers: 0,
    notes: [],
    ...rest,
  };
}

const OS = {
  debian: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
  rocky: { id: 'rocky', version: '9.4', name: 'Rocky Linux 9.4 (Blue Onyx)' },
  arch: { id: 'arch', version: null, name: 'Arch Linux' },
};

export function host(
  name: string,
  outcome: Outcome,
  rest: Partial<HostReport> & { on?: keyof typeof OS } = {},
): HostReport {
  const { on = 'debian', ...own } = rest;
  return {
    host: name,
    address: name,
    port: 22,
    outcome,
    seconds: 0.41,
    os: OS[on],
    systemd: 252,
    units: [unit('cron.service')],
    fault: null,
    ...own,
  };
}

/** A host that failed before anything was read. */
export function away(name: string, kind: FaultKind, message: string, seconds = 5): HostReport {
  return host(name, 'unreachable', { os: null, systemd: null, units: [], seconds, fault: fault(kind, message) });
}

export function report(hosts: readonly HostReport[], run: Partial<RunInfo> & { command?: Command } = {}): Report {
  const totals: Partial<Record<Outcome, number>> = {};
  for (const { outcome } of hosts) totals[outcome] = (totals[outcome] ?? 0) + 1;
  return {
    schema: 'fleetmask.report/1',
    run: {
      id: '20250102T030405-k3v9',
      command: 'mask',
      units: ['cron'],
      now: true,
      runtime: false,
      actor: 'alice@bastion',
      reason: null,
      ticket: null,
      startedAt: '2025-01-02T03:04:05.000Z',
      finishedAt: '2025-01-02T03:04:08.200Z',
      ...run,
    },
    hosts,
    totals,
    exitCode: hosts.some((each) => each.fault !== null) ? 5 : 0,
  };
}

/** A dozen hosts of three families with one of everything that can happen. */
export function typicalRun(): Report {
  const still: Fault = fault('still-running', 'cron.service is still active 30 s after it was told to stop; put back');
  return report([
    ...['web1', 'web2', 'web3'].map((name) => host(name, 'masked')),
    host('db1', 'masked', { on: 'rocky', seconds: 0.52, units: [unit('crond.service', { leftovers: 3 })] }),
    host('db2', 'rolled-back', {
      on: 'rocky',
      seconds: 31.4,
      units: [unit('crond.service', { after: ENABLED, startProbe: 'skipped' })],
      fault: still,
    }),
    host('build1', 'masked', { on: 'arch', units: [unit('cronie.service')] }),
    host('mail1', 'unchanged', { seconds: 0.18, units: [unit('cron.service', { before: MASKED })] }),
    host('mail2', 'refused', {
      seconds: 0.2,
      units: [unit('cron.service', { after: null, startProbe: 'skipped' })],
      fault: fault('local-unit', 'cron.service is a file of its own in /etc/systemd/system'),
    }),
    away('old1', 'unreachable', 'connect to old1 port 22: connection refused', 0.1),
    away('old2', 'unreachable', 'connect to old2 port 22: connection refused', 0.1),
    host('edge1', 'stranded', {
      seconds: 12,
      units: [unit('cron.service', { after: null, startProbe: 'skipped' })],
      fault: fault('lost', 'the connection broke while cron.service was being stopped'),
    }),
  ]);
}

export interface Recorded extends Output {
  readonly written: string[];
  text(): string;
}

/** An output that keeps what is written to it. */
export function recorded(like: Partial<Output> = {}): Recorded {
  const written: string[] = [];
  return {
    written,
    text: () => written.join(''),
    write: (text) => void written.push(text),
    isTTY: false,
    color: false,
    ...like,
  };
}
