/** Records → facts and evidence. Strict: what has not the expected form is dropped or makes the answer bad. */
import {
  baseOf,
  type Claim,
  type Evidence,
  type Facts,
  isRunId,
  isUnitName,
  type Leftovers,
  type LockHolder,
  type Os,
  type PathFact,
  type Privilege,
  printable,
  type Queued,
  type Refusal,
  type RelatedFacts,
  type Started,
  type Systemd,
  type Ties,
  templateOf,
  type UnitFacts,
  unprovable,
} from '../model/index.ts';
import { blocks, firstWord, type HostRecord, identifier, keyValue, texts, unitNames } from './blocks.ts';
import { dependenceFrom } from './dependence.ts';
import { aliasFrom, hitFrom, pathsFrom } from './disk-records.ts';
import { decoded, metaFrom } from './meta.ts';
import { hintFor } from './refusals.ts';
import { servedFrom } from './served.ts';
import { loggedFrom, stepsFrom } from './steps.ts';
import { millisecondsFrom } from './timespan.ts';

/** All but the receipts, which receipts.ts reads. */
export function factsFrom(records: readonly HostRecord[]): Omit<Facts, 'receipts'> {
  const host = new Map(records.filter((record) => record.kind === 'host').map((record) => keyValue(record.text)));
  return {
    os: osFrom(texts(records, 'os')),
    privilege: privilegeFrom(host.get('privilege'), texts(records, 'sudo')),
    ...(host.has('limit') && { limit: printable(host.get('limit') ?? '', 100) }),
    time: secondsFrom(host.get('time')),
    bootId: identifier(host.get('boot')),
    machineId: identifier(host.get('machine')),
    systemd: systemdFrom(host.get('systemd'), records),
    units: unitsFrom(records),
    related: relatedFrom(records),
    wrappers: texts(records, 'wrapper').filter(isUnitName),
    claims: texts(records, 'member').map(claimFrom),
    dependence: dependenceFrom(records),
    paths: pathsFrom(records),
    aliases: texts(records, 'alias').flatMap(aliasFrom),
    ...wantedFrom(texts(records, 'wanted')),
    scripts: texts(records, 'script').filter((path) => /^\/etc\/init\.d\/[\x21-\x7e]+$/.test(path)),
    hits: texts(records, 'found').flatMap(hitFrom),
    ...(records.some(({ kind }) => kind === 'served') && { served: servedFrom(records) }),
    ...userUnitsFrom(texts(records, 'user')),
  };
}

export function evidenceFrom(records: readonly HostRecord[]): Evidence {
  return {
    refused: refusalFrom(texts(records, 'refused')),
    steps: stepsFrom(records),
    units: unitsFrom(records),
    paths: pathsFrom(records),
    ...(failedToShow(records) && { unread: true as const }),
    left: texts(records, 'left').flatMap(leftoversFrom),
    foreign: texts(records, 'foreign').map((text) => printable(text)),
    lacking: texts(records, 'lacking').map((text) => printable(text)),
    logged: loggedFrom(records),
    receipt: !records.some((record) => record.kind === 'receipt' && record.text === 'none'),
    ...startedFrom(texts(records, 'started')),
    ...keptFrom(texts(records, 'kept')[0]),
    ...escapedFrom(texts(records, 'escaped')),
  };
}

/** `UID NAME` */
function userUnitsFrom(lines: readonly string[]): Pick<Facts, 'userUnits'> {
  const userUnits = lines.flatMap((text) => {
    const [uid, name] = firstWord(text);
    return /^\d{1,10}$/.test(uid) && isUnitName(name) ? [{ uid: Number(uid), name }] : [];
  });
  return userUnits.length === 0 ? {} : { userUnits };
}

function wantedFrom(names: readonly string[]): Pick<Facts, 'wanted'> {
  return names.length === 0 ? {} : { wanted: names.filter(isUnitName) };
}

function escapedFrom(names: readonly string[]): Pick<Evidence, 'escaped'> {
  return names.length === 0 ? {} : { escaped: names.map((name) => printable(name, 300)) };
}

/** `running UNIT`, `ended UNIT`, `beside UNIT`. */
function startedFrom(lines: readonly string[]): Pick<Evidence, 'started'> {
  const started = lines.flatMap((text): Started[] => {
    const [kind, unit] = firstWord(text);
    return (kind === 'running' || kind === 'ended' || kind === 'beside') && isUnitName(unit) ? [{ unit, kind }] : [];
  });
  return started.length === 0 ? {} : { started };
}

function keptFrom(text: string | undefined): Pick<Evidence, 'kept'> {
  if (text === undefined) return {};
  const [path, why] = firstWord(text);
  return { kept: { path: printable(path, 200), why: printable(why, 200) } };
}

function secondsFrom(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

/**
 * os-release(5): the last assignment wins; one layer of quotes is taken off, and in double quotes the shell's four escapes
 * are undone. It is never sourced.
 */
export function osFrom(lines: readonly string[]): Os {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trimEnd());
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1], printable(unquote(match[2]), 200));
  }
  const id = fields.get('ID') || 'linux';
  return {
    id,
    idLike: (fields.get('ID_LIKE') ?? '').split(/\s+/).filter((word) => word !== ''),
    version: fields.get('VERSION_ID') || null,
    name: fields.get('PRETTY_NAME') || fields.get('NAME') || id,
  };
}

function unquote(text: string): string {
  const single = /^'([^']*)'/.exec(text);
  if (single) return single[1] ?? '';
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(text);
  return (double ? (double[1] ?? '') : text).replace(/\\(["$\\`])/g, '$1');
}

function privilegeFrom(kind: string | undefined, why: readonly string[]): Privilege {
  if (kind === 'root' || kind === 'sudo' || kind === 'doas' || kind === 'su') return { kind };
  const said = why.join('\n');
  const hint = hintFor(said);
  return { kind: 'none', why: printable(said.trim().replaceAll('\n', ' ') || 'not root'), ...(hint && { hint }) };
}

function systemdFrom(kind: string | undefined, records: readonly HostRecord[]): Systemd {
  if (kind === 'none') return { kind: 'absent' };
  const manager = new Map(texts(records, 'manager').map(keyValue));
  // "252.39-1~deb12u1", "v257.8", "systemd 219", "252-46.el9_5.2.so"
  const version = /\d+/.exec(manager.get('Version') ?? '')?.[0];
  if (version === undefined || failedToShow(records)) {
    const said = [...texts(records, 'manager'), ...texts(records, 'unit')].filter((text) => !text.includes('='));
    const unread = version === undefined ? null : unprovable(Number(version));
    if (unread !== null) return { kind: 'silent', why: unread };
    return { kind: 'silent', why: printable(said.join(' ') || 'systemctl did not answer in time') };
  }
  return { kind: 'running', version: Number(version), state: printable(manager.get('SystemState') ?? 'unknown', 40) };
}

/** Whether systemd was asked for units and did not answer, or was cut off: a unit that is missing is shown too. */
function failedToShow(records: readonly HostRecord[]): boolean {
  return records.some(({ kind, text }) => kind === 'trouble' && /^(?:unit|related|beyond) /.test(text));
}

function unitsFrom(records: readonly HostRecord[]): UnitFacts[] {
  const jobs = jobsFrom(records);
  const lying = strongest(pathsFrom(records));
  return blocks(records, 'unit').map((fields) => {
    const text = (key: string) => printable(fields.get(key) ?? '', 4096);
    const word = (key: string) => printable(fields.get(key) ?? '', 40);
    const id = text('Id');
    const result = word('Result');
    const stopLimit = millisecondsFrom(text('TimeoutStopUSec') || text('TimeoutUSec'));
    return {
      id,
      names: [...new Set([id, ...unitNames(fields.get('Names'))])],
      load: word('LoadState'),
      active: word('ActiveState'),
      sub: word('SubState'),
      file: fileStateOf(id, word('LoadState'), word('UnitFileState'), lying),
      fragment: text('FragmentPath'),
      source: text('SourcePath'),
      // before 226 that stays so under a mask
      canStart: text('CanStart') === 'yes' && word('LoadState') !== 'masked',
      refuseManualStop: text('RefuseManualStop') === 'yes',
      mainPid: Number(/^\d+$/.exec(text('MainPID'))?.[0] ?? 0),
      controlGroup: /^(\/[\x21-\x26\x28-\x7e]+)$/.exec(fields.get('ControlGroup') ?? '')?.[1] ?? '',
      killMode: word('KillMode'),
      transient: text('Transient') === 'yes',
      perpetual: text('Perpetual') === 'yes',
      triggeredBy: unitNames(fields.get('TriggeredBy')),
      triggers: unitNames(fields.get('Triggers')),
      accept: text('Accept') === 'yes',
      queued: jobs.get(id) ?? null,
      needsReload: text('NeedDaemonReload') === 'yes',
      takesDown: takenDownBy(fields),
      ...(fields.has('PartOf') && { ties: tiesFrom(fields) }),
      gone: text('Gone') !== '',
      busName: /^[A-Za-z0-9._-]{1,255}$/.exec(text('BusName'))?.[0] ?? '',
      programs: (fields.get('Program') ?? '').split(' ').filter((path) => /^\/[A-Za-z0-9_./@:+-]+$/.test(path)),
      ...(stopLimit !== null && { stopLimit }),
      ...(result !== '' && result !== 'success' && { result }),
      fromBoot: /\bOn(?:Boot|Startup)USec=/.test(fields.get('TimersMonotonic') ?? ''),
    };
  });
}

/** What counts on disk under each name. */
function strongest(paths: readonly PathFact[]): Map<string, PathFact> {
  return new Map(paths.toReversed().map((path) => [baseOf(path.path), path]));
}

/** Before 238 systemd says nothing of the file under a mask (before 228), or that it is `bad`: there the disk tells. */
function fileStateOf(id: string, load: string, said: string, lying: ReadonlyMap<string, PathFact>): string {
  if (said !== '' && said !== 'bad') return said;
  const top = lying.get(id) ?? lying.get(templateOf(id) ?? '');
  if (top?.kind === 'null' || top?.kind === 'empty') return top.path.startsWith('/run/') ? 'masked-runtime' : 'masked';
  return load === 'masked' && said === 'bad' ? 'masked' : said;
}

/** `job UNIT TYPE`; see systemd's job.c. `verify-active` and `nop` change nothing. */
function jobsFrom(records: readonly HostRecord[]): Map<string, Queued> {
  return new Map(
    texts(records, 'job').flatMap((text): [string, Queued][] => {
      const [unit = '', type = ''] = text.split(' ');
      if (type === 'stop' || type === 'reload') return [[unit, type]];
      if (type === 'try-reload') return [[unit, 'reload']];
      return /^(?:start|restart|try-restart|reload-or-start)$/.test(type) ? [[unit, 'start']] : [];
    }),
  );
}

function relatedFrom(records: readonly HostRecord[]): RelatedFacts[] {
  const jobs = jobsFrom(records);
  return blocks(records, 'related').map((fields) => ({
    id: fields.get('Id') ?? '',
    load: printable(fields.get('LoadState') ?? '', 40),
    active: printable(fields.get('ActiveState') ?? '', 40),
    triggeredBy: unitNames(fields.get('TriggeredBy')),
    queued: jobs.get(fields.get('Id') ?? '') ?? null,
    needsReload: fields.get('NeedDaemonReload') === 'yes',
    takesDown: takenDownBy(fields),
    gone: fields.has('Gone'),
  }));
}

/** Systemd stops these with it; what merely conflicts or is wanted is none of them. */
function takenDownBy(fields: ReadonlyMap<string, string>): string[] {
  const properties = ['RequiredBy', 'RequisiteOf', 'BoundBy', 'ConsistsOf', 'PropagatesStopTo'];
  return [...new Set(properties.flatMap((property) => unitNames(fields.get(property))))];
}

function tiesFrom(fields: ReadonlyMap<string, string>): Ties {
  const names = (...properties: string[]) => properties.flatMap((property) => unitNames(fields.get(property)));
  return {
    partOf: names('PartOf', 'StopPropagatedFrom'),
    needs: names('Requires', 'Requisite', 'BindsTo'),
    wantedBy: names('WantedBy'),
  };
}

/** `UNIT NAME…`; of specifiers the prefix is known from the name. */
function claimFrom(text: string): Claim {
  const [unit, names] = firstWord(text);
  const prefix = unit.replace(/@?\.[a-z]+$/, '').replace(/@.*/, '');
  return { unit, partOf: unitNames(names.replaceAll('%p', prefix)) };
}

function refusalFrom([first, ...rest]: readonly string[]): Refusal | null {
  if (first === undefined) return null;
  const [kind = '', ...words] = first.split(' ');
  const text = printable([words.join(' '), ...rest].join(' '));
  if (kind === 'locked') return { kind, text, holder: holderFrom(words) };
  if (kind === 'twin') return { kind, text: decoded(words[0] ?? '') };
  return kind === 'fenced' || kind === 'moved' || kind === 'write' || kind === 'unarmed'
    ? { kind, text }
    : { kind: 'malformed', text };
}

/** `RUN META SINCE SECONDS`; what the holder had not yet written is `-`. */
function holderFrom([run = '-', meta = '-', since = '', seconds = '']: readonly string[]): LockHolder {
  return {
    run: isRunId(run) ? run : null,
    meta: metaFrom(meta),
    since: secondsFrom(since),
    seconds: Math.max(0, secondsFrom(seconds) ?? 0),
  };
}

function leftoversFrom(text: string): Leftovers[] {
  const match = /^(\d{1,7}) (\d{1,7}) (\/\S*)$/.exec(text);
  return match ? [{ all: Number(match[1]), own: Number(match[2]), group: match[3] ?? '' }] : [];
}
