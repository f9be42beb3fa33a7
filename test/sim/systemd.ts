/**
 * A model of systemd, with the simplifications of the embedded fleet's (src/demo/shim): what was loaded at the last reload
 * counts, whatever lies on disk; what neither runs nor is needed is read afresh. model.test.ts holds both together.
 */

export interface UnitFile {
  readonly name: string;
  /** Has an [Install] section. */
  readonly installable?: boolean;
  readonly requires?: readonly string[];
  readonly bindsTo?: readonly string[];
  readonly partOf?: readonly string[];
  readonly refuseManualStop?: boolean;
  /** Ignores SIGTERM for ever; or is started again by somebody as soon as it stopped; or takes some time. */
  readonly stop?: 'never' | 'again' | number;
  readonly start?: 'fails';
}

export type Entry =
  | { readonly kind: 'file'; readonly unit: UnitFile }
  | { readonly kind: 'link'; readonly target: string; readonly inode: number; readonly changed: number };

export const MASK = '/dev/null';
export const ETC = '/etc/systemd/system';
export const RUN = '/run/systemd/system';
export const VENDOR = '/usr/lib/systemd/system';
export const WANTS = `${ETC}/multi-user.target.wants`;
/** Those of the directories that matter here, the strongest first. */
const UNIT_DIRS = ['/etc/systemd/system.control', ETC, RUN, VENDOR];

type Relation = 'RequiredBy' | 'BoundBy' | 'ConsistsOf' | 'TriggeredBy';
export const RELATIONS: readonly Relation[] = ['TriggeredBy', 'RequiredBy', 'BoundBy', 'ConsistsOf'];

interface Loaded {
  readonly id: string;
  readonly load: 'loaded' | 'masked' | 'not-found';
  readonly fragment: string;
  /** What the file said; nothing of it is left under a mask. */
  readonly unit: UnitFile | null;
  readonly reverse: Map<Relation, string[]>;
}

export interface Activity {
  readonly active: 'active' | 'deactivating' | 'failed';
  readonly sub: string;
  /** How its process behaves, whatever is loaded. */
  readonly stop: UnitFile['stop'];
  /** A socket that was masked while it listened: closed, and active in name. */
  readonly deaf?: boolean;
}

export interface Ended {
  readonly status: number;
  readonly said: readonly string[];
}

interface Edge {
  readonly relation: Relation;
  readonly of: string;
  readonly other: string;
}

export class Systemd {
  readonly files = new Map<string, Entry>();
  readonly active = new Map<string, Activity>();
  #loaded = new Map<string, Loaded>();
  readonly #changed: (what: string) => void;

  /** `changed` is told of each unit that came to run or not to run. */
  constructor(changed: (what: string) => void) {
    this.#changed = changed;
  }

  isMask(path: string): boolean {
    const entry = this.files.get(path);
    return entry?.kind === 'link' && entry.target === MASK;
  }

  /** What has this name on disk, the strongest first. */
  lying(name: string): string[] {
    return UNIT_DIRS.map((dir) => `${dir}/${name}`).filter((path) => this.files.has(path));
  }

  activity(name: string): Activity | null {
    return this.active.get(name) ?? null;
  }

  isRunning(name: string): boolean {
    const activity = this.active.get(name);
    return activity !== undefined && activity.active !== 'failed';
  }

  loadOf(name: string): string {
    return this.#recall(name).load;
  }

  reload(): void {
    const edges: Edge[] = [];
    const kept = new Set<string>([...this.active.keys()]);
    const candidates = new Set<string>(kept);
    for (const path of this.files.keys()) {
      const name = baseOf(path);
      candidates.add(name);
      if (path.startsWith(`${WANTS}/`)) kept.add(name);
    }
    for (const name of candidates) this.#read(name, edges);
    // a set that grows while it is walked is walked to its end
    for (const name of kept) for (const edge of edges) if (edge.of === name) kept.add(edge.other);
    this.#loaded = new Map();
    for (const name of kept) {
      const unit = this.#read(name, []);
      for (const edge of edges) if (edge.other === name && kept.has(edge.of)) addTo(unit.reverse, edge);
      this.#loaded.set(name, unit);
    }
    this.#disarm();
  }

  /** What a mask does at once: a timer fails, a socket is closed, and tells nobody. */
  #disarm(): void {
    for (const [name, now] of this.active) {
      if (name.endsWith('.socket') && this.loadOf(name) === 'masked') this.active.set(name, { ...now, deaf: true });
    }
  }

  /** What `show` prints of a unit: empty values and all. */
  properties(name: string): [string, string][] {
    const { load, fragment, unit, reverse } = this.#recall(name);
    const now = this.active.get(name);
    const service = name.endsWith('.service');
    const hasProcess = now !== undefined && now.active !== 'failed' && service;
    return [
      ['Id', name],
      ['Names', name],
      ['LoadState', load],
      ['ActiveState', now?.active ?? 'inactive'],
      ['SubState', now?.sub ?? 'dead'],
      ['UnitFileState', this.#fileState(fragment)],
      ['FragmentPath', fragment],
      ['CanStart', load === 'loaded' ? 'yes' : 'no'],
      ['RefuseManualStop', unit?.refuseManualStop ? 'yes' : 'no'],
      ...(service
        ? ([
            ['MainPID', hasProcess ? '50000000' : '0'],
            ['ControlGroup', hasProcess ? `/system.slice/${name}` : ''],
          ] as [string, string][])
        : []),
      ['KillMode', 'control-group'],
      ['Transient', 'no'],
      ['Perpetual', 'no'],
      ['TriggeredBy', (reverse.get('TriggeredBy') ?? []).join(' ')],
      ...(service
        ? []
        : ([
            ['Triggers', unit === null ? '' : triggeredBy(name)],
            ['Accept', 'no'],
          ] as [string, string][])),
      ...RELATIONS.slice(1).map((relation): [string, string] => [relation, (reverse.get(relation) ?? []).join(' ')]),
    ];
  }

  /**
   * Stops units and what needs them. What takes time is left `deactivating`, with how long it takes (Infinity: for ever); `finishStop`
   * ends it.
   */
  stop(names: readonly string[]): Ended & { readonly pending: ReadonlyMap<string, number> } {
    const said: string[] = [];
    let status = 0;
    const fail = (code: number, text: string) => {
      status ||= code;
      said.push(text);
    };
    const todo: string[] = [];
    for (const name of names) {
      const { load, unit } = this.#recall(name);
      if (load === 'not-found' && !this.active.has(name)) {
        fail(5, `Failed to stop ${name}: Unit ${name} not loaded.`);
      } else if (unit?.refuseManualStop) {
        fail(4, `Failed to stop ${name}: Operation refused, unit ${name} may be requested by dependency only`);
      } else todo.push(name);
    }
    const pending = new Map<string, number>();
    const seen = new Set<string>(todo);
    for (const name of seen) {
      const { reverse, load } = this.#recall(name);
      for (const relation of ['RequiredBy', 'BoundBy', 'ConsistsOf'] as const) {
        for (const other of reverse.get(relation) ?? []) seen.add(other);
      }
      const now = this.active.get(name);
      if (now === undefined || now.active === 'failed') continue;
      if (now.stop === 'again' && load === 'loaded') continue;
      if (now.stop === 'never' || typeof now.stop === 'number') {
        this.#set(name, { ...now, active: 'deactivating', sub: 'stop-sigterm' });
        pending.set(name, now.stop === 'never' ? Number.POSITIVE_INFINITY : now.stop);
      } else this.#set(name, null);
    }
    return { status, said, pending };
  }

  /** The process that took its time has ended; not if the unit was started meanwhile. */
  finishStop(name: string): void {
    if (this.active.get(name)?.active === 'deactivating') this.#set(name, null);
  }

  start(names: readonly string[]): Ended {
    const said: string[] = [];
    let status = 0;
    for (const name of names) {
      const problem = this.#start(name);
      if (problem === null) continue;
      status ||= problem.status;
      said.push(...problem.said);
    }
    return { status, said };
  }

  /** A client connects, or a timer elapses. */
  trigger(name: string): void {
    if (!this.isRunning(name) || this.active.get(name)?.deaf) return;
    if (this.start([triggeredBy(name)]).status !== 0) {
      this.#set(name, { active: 'failed', sub: 'failed', stop: undefined });
    }
  }

  resetFailed(names: readonly string[]): void {
    for (const name of names) if (this.active.get(name)?.active === 'failed') this.#set(name, null);
  }

  /** It runs, whatever systemd says. */
  force(name: string): void {
    if (!this.#loaded.has(name)) this.#introduce(name);
    this.#set(name, { active: 'active', sub: 'running', stop: undefined });
  }

  /** All that ran is gone; what is enabled runs. */
  boot(): void {
    this.active.clear();
    this.#loaded = new Map();
    this.reload();
    for (const path of [...this.files.keys()]) {
      if (path.startsWith(`${WANTS}/`)) this.#start(baseOf(path));
    }
  }

  #start(asked: string): Ended | null {
    const starts: string[] = [];
    const todo = [asked];
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      const { load, unit } = this.#recall(name);
      const said = load === 'masked' ? `Unit ${name} is masked.` : `Unit ${name} not found.`;
      if (load !== 'loaded') {
        return { status: load === 'masked' ? 1 : 5, said: [`Failed to start ${asked}: ${said}`] };
      }
      if (starts.includes(name)) continue;
      starts.unshift(name);
      todo.push(...(unit?.requires ?? []), ...(unit?.bindsTo ?? []));
    }
    for (const name of starts) {
      if (this.active.get(name)?.active === 'active') continue;
      const problem = this.#begin(name);
      if (problem !== null) return problem;
    }
    return null;
  }

  #begin(name: string): Ended | null {
    const isTrigger = !name.endsWith('.service');
    // no socket listens beside the service that it is to start
    const busy = isTrigger && this.active.get(triggeredBy(name))?.active === 'active';
    if (isTrigger && (busy || this.#recall(triggeredBy(name)).load !== 'loaded')) {
      return { status: 1, said: ['Job failed. See "journalctl -xe" for details.'] };
    }
    const { unit } = this.#recall(name);
    if (!this.#loaded.has(name)) this.#introduce(name);
    if (unit?.start === 'fails') {
      this.#set(name, { active: 'failed', sub: 'failed', stop: unit.stop });
      return {
        status: 1,
        said: [`Job for ${name} failed because the control process exited with error code.`],
      };
    }
    const sub = name.endsWith('.socket') ? 'listening' : isTrigger ? 'waiting' : 'running';
    this.#set(name, { active: 'active', sub, stop: unit?.stop });
    return null;
  }

  /** A unit comes to be loaded between two reloads, and with it those that it relates to: they hear of it. */
  #introduce(name: string): void {
    const newcomers = new Set([name]);
    for (const newcomer of newcomers) {
      const edges: Edge[] = [];
      const read = this.#read(newcomer, edges);
      if (!this.#loaded.has(newcomer)) this.#loaded.set(newcomer, read);
      for (const edge of edges) {
        if (!this.#loaded.has(edge.other)) newcomers.add(edge.other);
        const other = this.#recall(edge.other);
        addTo(other.reverse, edge);
        this.#loaded.set(edge.other, other);
      }
    }
  }

  #recall(name: string): Loaded {
    return this.#loaded.get(name) ?? this.#read(name, []);
  }

  #read(name: string, edges: Edge[]): Loaded {
    const [fragment = ''] = this.lying(name);
    const entry = this.files.get(fragment);
    const unit = entry?.kind === 'file' ? entry.unit : null;
    const load = entry === undefined ? 'not-found' : unit === null ? 'masked' : 'loaded';
    if (unit !== null) {
      const relate = (relation: Relation, others: readonly string[] = []) => {
        for (const other of others) edges.push({ relation, of: name, other });
      };
      relate('RequiredBy', unit.requires);
      relate('BoundBy', unit.bindsTo);
      relate('ConsistsOf', unit.partOf);
      if (!name.endsWith('.service')) relate('TriggeredBy', [triggeredBy(name)]);
    }
    return { id: name, load, fragment, unit, reverse: new Map() };
  }

  /** Always read from the disk. */
  #fileState(fragment: string): string {
    const name = baseOf(fragment);
    const [found] = name === '' ? [] : this.lying(name);
    const entry = found === undefined ? undefined : this.files.get(found);
    if (found === undefined || entry === undefined) return '';
    if (entry.kind === 'link') return found.startsWith('/run/') ? 'masked-runtime' : 'masked';
    if (this.files.has(`${WANTS}/${name}`)) return 'enabled';
    return entry.unit.installable ? 'disabled' : 'static';
  }

  #set(name: string, activity: Activity | null): void {
    const before = this.active.get(name)?.active ?? 'inactive';
    if (activity === null) this.active.delete(name);
    else this.active.set(name, activity);
    const now = activity?.active ?? 'inactive';
    if (now !== before) this.#changed(`${name} ${before} → ${now}`);
  }
}

function triggeredBy(name: string): string {
  return name.replace(/\.[a-z]+$/, '.service');
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function addTo(reverse: Map<Relation, string[]>, { relation, of }: Edge): void {
  const known = reverse.get(relation) ?? [];
  if (!known.includes(of)) reverse.set(relation, [...known, of]);
}
