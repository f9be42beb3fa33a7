/** What a test says of a situation on a host: how it is made, what is asked, and how it must end, checked from inside. */
import { expect } from 'vitest';
import type { FaultKind } from '../../src/model/index.ts';
import { howItWent, type Operator, type Run } from './fleetmask.ts';
import { changes, type Dumps, dumps, HELD, hold, receiptOf, reloadMark, sh } from './inside.ts';
import type { LabHost } from './lab.ts';

export interface Situation {
  /** A script that makes it, as root inside the host. */
  readonly given: string;
  /** As typed after `fleetmask`. */
  readonly ask: string;
  /** Units that must be as before after the rollback, or stay so when nothing may be touched. */
  readonly compared: readonly string[];
  /** Units that must not run and must not start after the mask; else all that are compared. */
  readonly held?: readonly string[];
  /** Anything else that must hold while it is masked. */
  readonly meanwhile?: (host: LabHost, run: Run) => Promise<void>;
}

const everywhere = <T>(hosts: readonly LabHost[], read: (host: LabHost) => Promise<T>): Promise<Record<string, T>> =>
  Promise.all(hosts.map(async (host) => [host.name, await read(host)] as const)).then(Object.fromEntries);

const same = <T>(hosts: readonly LabHost[], value: T): Record<string, T> =>
  Object.fromEntries(hosts.map(({ name }) => [name, value]));

export const outcomes = (run: Run) =>
  Object.fromEntries(run.report.hosts.map((report) => [report.host, howItWent(report)]));

/** Without what the faults say. */
export const kinds = (run: Run) =>
  Object.fromEntries(run.report.hosts.map(({ host, outcome, fault }) => [host, `${outcome}: ${fault?.kind}`]));

/** Masks; nothing of it runs or starts; `rollback` makes everything equal to what it was. */
export async function masksAndPutsBack(
  operator: Operator,
  hosts: readonly LabHost[],
  situation: Situation,
): Promise<void> {
  const { given, ask, compared, held = compared, meanwhile } = situation;
  await everywhere(hosts, (host) => sh(host, given));
  const before = await everywhere(hosts, (host) => dumps(host, compared));

  const run = await operator.do(ask, hosts);
  expect(outcomes(run)).toEqual(same(hosts, 'masked'));
  expect(run.exitCode, run.said).toBe(0);
  for (const name of held) {
    expect({ [name]: await everywhere(hosts, (host) => hold(host, name)) }).toEqual({ [name]: same(hosts, HELD) });
  }
  await Promise.all(hosts.map((host) => meanwhile?.(host, run)));

  await putsBack(operator, run, hosts, before);
}

export async function putsBack(
  operator: Operator,
  run: Run,
  hosts: readonly LabHost[],
  before: Readonly<Record<string, Dumps>>,
): Promise<void> {
  const undone = await operator.undo(run);
  expect(outcomes(undone)).toEqual(same(hosts, 'restored'));
  expect(await everywhere(hosts, (host) => changes(host, before[host.name]!))).toEqual(same(hosts, []));
  expect(await everywhere(hosts, (host) => receiptOf(host, run.report.run.id))).toEqual(same(hosts, ''));
}

/** Refuses for this reason, and neither a unit nor systemd nor the disk was touched. */
export async function leavesAlone(
  operator: Operator,
  hosts: readonly LabHost[],
  situation: Situation,
  kind: FaultKind | 'unchanged',
): Promise<Run> {
  const { given, ask, compared } = situation;
  await everywhere(hosts, (host) => sh(host, given));
  const before = await everywhere(hosts, (host) => dumps(host, compared));
  const mark = await everywhere(hosts, reloadMark);
  const run = await operator.do(ask, hosts);
  const ended = run.report.hosts.map(({ outcome, fault }) => (fault ? `${outcome}: ${fault.kind}` : outcome));
  expect(ended, run.said).toEqual(hosts.map(() => (kind === 'unchanged' ? kind : `refused: ${kind}`)));
  expect(run.exitCode, run.said).toBe(kind === 'unchanged' ? 0 : 4);
  expect(await everywhere(hosts, reloadMark)).toEqual(mark);
  expect(await everywhere(hosts, (host) => receiptOf(host, run.report.run.id))).toEqual(same(hosts, ''));
  expect(await everywhere(hosts, (host) => changes(host, before[host.name]!))).toEqual(same(hosts, []));
  return run;
}

/** Fails on the way for this reason, and is as it was before. */
export async function failsAndRollsBack(
  operator: Operator,
  hosts: readonly LabHost[],
  situation: Situation,
  kind: FaultKind,
): Promise<Run> {
  const { given, ask, compared } = situation;
  await everywhere(hosts, (host) => sh(host, given));
  const before = await everywhere(hosts, (host) => dumps(host, compared));
  const run = await operator.do(ask, hosts);
  const ended = run.report.hosts.map(({ outcome, fault }) => `${outcome}: ${fault?.kind}`);
  expect(ended, run.said).toEqual(hosts.map(() => `rolled-back: ${kind}`));
  expect(run.exitCode, run.said).toBe(5);
  expect(await everywhere(hosts, (host) => changes(host, before[host.name]!))).toEqual(same(hosts, []));
  expect(await everywhere(hosts, (host) => receiptOf(host, run.report.run.id))).toEqual(same(hosts, ''));
  return run;
}
