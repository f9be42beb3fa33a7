import type { HostReport, Report } from '../model/index.ts';
import { commandLine } from './listings.ts';
import { attributes, escaped } from './markup.ts';
import { change, fileWord, historyLines } from './state.ts';
import { secondsBetween } from './time.ts';

type Result = 'passed' | 'failure' | 'error' | 'skipped';

/** JUnit's XML, as CI systems read it: one suite for the run, a case for each host. */
export function toJunit(report: Report): string {
  const { run, hosts } = report;
  const results = hosts.map((host) => resultOf(host, run));
  const count = (result: Result) => results.filter((each) => each === result).length;
  const seconds = secondsBetween(run.startedAt, run.finishedAt);
  const counted = {
    tests: hosts.length,
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
    time: Number.isFinite(seconds) ? seconds.toFixed(3) : null,
  };
  const name = `fleetmask ${commandLine(run)}`;
  // the schema knows no time zone: it is UTC
  const suite = { name, ...counted, timestamp: run.startedAt.slice(0, 19), hostname: run.actor.split('@').at(-1) };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'fleetmask', ...counted })}>`,
    `  <testsuite${attributes(suite)}>`,
    '    <properties>',
    ...propertiesOf(report).map(([key, value]) => `      <property${attributes({ name: key, value })}/>`),
    '    </properties>',
    ...hosts.flatMap((host, i) => testcase(host, results[i]!, commandName(report))),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** As the exit code counts: `status` may ask for units that are not masked. */
function resultOf({ outcome, fault }: HostReport, { command, expected }: Report['run']): Result {
  switch (outcome) {
    case 'unreachable':
      return 'error';
    case 'not-started':
    case 'forgotten':
    case 'absent':
      return 'skipped';
    case 'refused':
    case 'rolled-back':
    case 'stranded':
    case 'mixed':
      return 'failure';
    case 'masked':
      return command === 'status' && expected === 'unmasked' ? 'failure' : passed(fault);
    case 'not-masked':
      return expected === 'unmasked' ? passed(fault) : 'failure';
    case 'unmasked':
    case 'restored':
    case 'unchanged':
    case 'planned':
      return passed(fault);
  }
}

function passed(fault: HostReport['fault']): Result {
  return fault === null ? 'passed' : 'failure';
}

function commandName({ run }: Report): string {
  return [run.command, ...run.units].join(' ');
}

function propertiesOf({ run, exitCode }: Report): (readonly [string, string])[] {
  const { id, command, units, now, runtime, actor, reason, ticket, startedAt, finishedAt, waves } = run;
  const values: Readonly<Record<string, string | null | undefined>> = {
    ...{ run: id, command, units: units.join(' '), now: String(now), runtime: String(runtime), actor, reason, ticket },
    ...{ startedAt, finishedAt, waves: waves?.join(','), exitCode: String(exitCode) },
  };
  return Object.entries(values).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, value] as const],
  );
}

function testcase(host: HostReport, result: Result, classname: string): string[] {
  const { outcome, fault } = host;
  const told = statesOf(host);
  const message = fault?.message ?? [outcome, ...told].join('; ');
  const body = [outcome, ...(fault ? [fault.message, `hint: ${fault.hint}`] : []), ...told];
  const open = `    <testcase${attributes({ name: host.host, classname, time: host.seconds.toFixed(3) })}>`;
  const close = '    </testcase>';
  const said = `      <system-out>${body.map(escaped).join('\n')}</system-out>`;
  if (result === 'passed') return [open, said, close];
  if (result === 'skipped') return [open, `      <skipped${attributes({ message })}/>`, said, close];
  const head = attributes({ message, type: fault?.kind ?? outcome });
  return [open, `      <${result}${head}>${body.map(escaped).join('\n')}</${result}>`, close];
}

/** `cron.service: enabled → masked, active → inactive` and what is to be known besides. */
function statesOf(host: HostReport): string[] {
  const units = host.units.flatMap((unit) => [
    `${unit.unit}: ${change(host, unit, fileWord)}, ${change(host, unit, ({ active }) => active)}`,
    ...(unit.steps.length > 0 ? [`${unit.unit}: steps: ${unit.steps.join(', ')}`] : []),
    ...(unit.triggers.length > 0 ? [`${unit.unit}: can still be triggered by ${unit.triggers.join(', ')}`] : []),
    ...(unit.stopsToo ? [`${unit.unit}: stops too: ${unit.stopsToo.join(', ')}`] : []),
    ...(unit.notCovered ? [`${unit.unit}: not covered: ${unit.notCovered.join(', ')}`] : []),
    ...unit.notes.map((note) => `${unit.unit}: ${note}`),
  ]);
  return [...units, ...historyLines(host).map((line) => `later: ${line}`)];
}
