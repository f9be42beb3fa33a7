/** Records → what a mask must not cut. As strict as records.ts: what has not the expected form is dropped. */
import { type Dependence, type Endpoint, isUnitName, printable, type SessionFacts, type Uses } from '../model/index.ts';
import { blocks, type HostRecord, texts, unitNames } from './blocks.ts';

/** By the property that a unit has, the one of its dependents that makes them so. */
const NEEDS = [
  ['RequiredBy', 'Requires'],
  ['RequisiteOf', 'Requisite'],
  ['BoundBy', 'BindsTo'],
  ['ConsistsOf', 'PartOf'],
  ['PropagatesStopTo', 'StopPropagatedFrom'],
] as const;

/** Null where the host told nothing of its session, as when it was not asked. */
export function dependenceFrom(records: readonly HostRecord[]): Dependence | null {
  const session = texts(records, 'session').map((text) => text.split(' '));
  if (session.length === 0) return null;
  const shown = ['unit', 'related', 'beyond'].flatMap((kind) => blocks(records, kind));
  const pinnedBy = pinning(shown);
  const units = shown.map((fields) => {
    const unit = unitFrom(fields);
    const stops = unit.names
      .flatMap((name) => pinnedBy.get(name) ?? [])
      .map((id) => ({ unit: id, by: 'StopWhenUnneeded' }) as const);
    return stops.length === 0 ? unit : { ...unit, dependents: [...unit.dependents, ...stops] };
  });
  return { units, session: sessionFrom(session), uses: usesFrom(records) };
}

/** By unit: those that stop when it does, for nothing else needs them. What a target needs is needed as long as the host runs. */
function pinning(shown: readonly ReadonlyMap<string, string>[]): Map<string, string[]> {
  const pinnedBy = new Map<string, string[]>();
  for (const fields of shown) {
    const id = fields.get('Id');
    if (id === undefined || fields.get('StopWhenUnneeded') !== 'yes') continue;
    const pins = ['RequiredBy', 'RequisiteOf', 'WantedBy', 'BoundBy'].flatMap((key) => unitNames(fields.get(key)));
    if (pins.some((name) => name.endsWith('.target'))) continue;
    for (const name of pins) {
      const others = pinnedBy.get(name);
      if (others === undefined) pinnedBy.set(name, [id]);
      else others.push(id);
    }
  }
  return pinnedBy;
}

function unitFrom(fields: ReadonlyMap<string, string>): Dependence['units'][number] {
  const id = fields.get('Id') ?? '';
  return {
    id,
    names: [...new Set([id, ...unitNames(fields.get('Names'))])],
    active: printable(fields.get('ActiveState') ?? '', 40),
    mainPid: wholeNumber(fields.get('MainPID')) ?? 0,
    listens: (fields.get('Listen') ?? '').split(/(?<=\)) /).flatMap(endpointFrom),
    dependents: NEEDS.flatMap(([property, by]) => unitNames(fields.get(property)).map((unit) => ({ unit, by }))),
    triggeredBy: unitNames(fields.get('TriggeredBy')),
    triggers: unitNames(fields.get('Triggers')),
  };
}

/** `TOPIC`, `TOPIC by WHAT`, `TOPIC boots MOUNT`. */
function usesFrom(records: readonly HostRecord[]): Uses {
  const uses = new Map<string, { by: string[]; boots: string[] }>();
  for (const text of texts(records, 'use')) {
    const [topic = '', key, ...words] = text.split(' ');
    if (!/^\w{1,20}$/.test(topic)) continue;
    const use = uses.get(topic) ?? { by: [], boots: [] };
    uses.set(topic, use);
    if (key === 'by' || key === 'boots') use[key].push(printable(words.join(' '), 60));
  }
  return uses;
}

/** `[::]:22 (Stream)`, `127.0.0.1:22 (Stream)`; sockets that are not TCP have no port. */
function endpointFrom(text: string): Endpoint[] {
  const match = /^(?:\[([0-9a-f:.]+)\](?:%\w+)?|([0-9.]+)):(\d+) \(Stream\)$/.exec(text);
  const port = wholeNumber(match?.[3]);
  if (match === null || port === null) return [];
  const address = match[1] ?? match[2] ?? '';
  return [{ address: address === '::' || address === '0.0.0.0' ? null : address, port }];
}

function sessionFrom(records: readonly (readonly string[])[]): SessionFacts {
  const of = (kind: string) => records.filter(([first]) => first === kind).map(([, ...words]) => words);
  const [server] = of('server').flatMap(([address = '', text]) => {
    const port = wholeNumber(text);
    return port !== null && /^[0-9A-Fa-f:.]+(?:%[\w.-]+)?$/.test(address) ? [{ address, port }] : [];
  });
  const interfaces = of('interface').flatMap(([word = '']) => (/^[\w.:-]{1,15}$/.test(word) ? [word] : []));
  const owners = of('owner');
  return {
    processes: of('process').flatMap(([text, unit = '', ...words]) => {
      const pid = wholeNumber(text);
      return pid === null ? [] : [{ pid, unit: isUnitName(unit) ? unit : null, name: printable(words.join(' '), 40) }];
    }),
    server: server ?? null,
    listeners: of('listener').flatMap(([text]) => wholeNumber(text) ?? []),
    networks: interfaces.map((name) => ({
      interface: name,
      owners: owners.flatMap(([of, unit = '']) => (of === name && isUnitName(unit) ? [unit] : [])),
    })),
    home: of('home').flatMap(([path = '']) => (/^\/[\w./@+-]{1,200}$/.test(path) ? [path] : []))[0] ?? null,
    logins: of('login').map(([database = '', ...sources]) => ({
      database: printable(database, 20),
      sources: sources.filter((source) => /^\w{1,20}$/.test(source)),
    })),
  };
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : null;
}
