/** All that can be compared about a unit, before and after: "put back exactly as it was" is equality of two dumps. */
import type { LabHost } from './host.ts';

/** Changes by itself, or with every start, and says nothing about how the unit is set up. */
const VOLATILE = new RegExp(
  `^(${[
    '\\w*Timestamp\\w*',
    'InvocationID|(Main|Control|ExecMain)PID|ControlGroupId|Job|NRestarts|RestartUSecNext',
    'Memory(Current|Available|Peak|Swap(Current|Peak)|ZSwapCurrent)|Effective(Memory\\w*|TasksMax)|TasksCurrent|CPUUsageNSec',
    'IP(In|E)gress(Bytes|Packets)|IO(Read|Write)(Bytes|Operations)',
    // on some versions gone as soon as the group is empty, on others not
    'ControlGroup',
    'NAccepted|NConnections|NRefused|NFileDescriptorStore|LastTrigger\\w*|NextElapse\\w*|StatusText',
  ].join('|')})=`,
);

/** Lists whose order is that of a hash table: it differs after each reload. */
const UNORDERED =
  /^(Names|Requires|Requisite|Wants|BindsTo|PartOf|Upholds|RequiredBy|RequisiteOf|WantedBy|BoundBy|UpheldBy|ConsistsOf|Conflicts|ConflictedBy|Before|After|On(Failure|Success)(Of)?|Triggers|TriggeredBy|\w*Propagate\w*|JoinsNamespaceOf|SliceOf|\w*MountsFor)=/;

/** Where systemd looks for units, the strongest first. */
const UNIT_DIRS = [
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/run/systemd/transient',
  '/run/systemd/generator.early',
  '/etc/systemd/system',
  '/etc/systemd/system.attached',
  '/run/systemd/system',
  '/run/systemd/system.attached',
  '/run/systemd/generator',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/run/systemd/generator.late',
];

export async function dumpUnit(host: LabHost, unit: string): Promise<string[]> {
  const properties = (await host.exec(['systemctl', 'show', '--', unit])).stdout
    .split('\n')
    .filter((line) => line !== '' && !VOLATILE.test(line))
    .map(settle)
    .sort();
  const names =
    properties
      .find((line) => line.startsWith('Names='))
      ?.slice('Names='.length)
      .split(' ') ?? [];
  return [...properties, ...(await unitFiles(host, [...new Set([unit, ...names])]))];
}

function settle(line: string): string {
  if (!UNORDERED.test(line)) return line.replace(/ ; (start_time=\[|next_elapse=).*\}$/, ' }');
  const [key, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)];
  return `${key}=${value.split(' ').sort().join(' ')}`;
}

/**
 * Every file, drop-in and link of these names: type, mode, owner, and content or target. No time of links: undo makes new ones;
 * nor of what generators write: each reload makes it new.
 */
async function unitFiles(host: LabHost, names: readonly string[]): Promise<string[]> {
  const escaped = names.map((name) => name.replace(/[\\*?[\]]/g, '\\$&'));
  const tests = escaped.flatMap((name) => [
    '-name',
    name,
    '-path',
    `*/${name}.d`,
    '-path',
    `*/${name}.d/*`,
    '-lname',
    `*/${name}`,
    '-lname',
    name,
  ]);
  const any = Array.from({ length: tests.length / 2 }, (_, i) => tests.slice(2 * i, 2 * i + 2)).flatMap((test, i) =>
    i === 0 ? test : ['-o', ...test],
  );
  const find = ['find', ...UNIT_DIRS, '(', ...any, ')'];
  // missing directories are complaints on stderr, and no matter
  const file = ['-type', 'f', '-printf', '%p: file %m %U:%G %T@\\n', '-exec', 'sha256sum', '{}', ';'];
  const print = ['(', ...file, '-o', '-printf', '%p: %y %m %U:%G -> %l\\n', ')'];
  const lines = (await host.exec([...find, ...print])).stdout.split('\n').filter(Boolean).sort();
  return lines.map((line) => line.replace(/^(\/run\/systemd\/generator.*: file .*) [\d.]+$/, '$1'));
}
