import { printable } from '../model/index.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { requireGroupName, requireListable } from './names.ts';
import { MAX_HOSTS } from './range.ts';

/** A variable and where it was said. */
export interface Setting {
  readonly value: unknown;
  readonly origin: Origin;
}

export type Settings = Map<string, Setting>;

export interface GroupNode {
  readonly name: string;
  readonly children: Set<GroupNode>;
  readonly parents: Set<GroupNode>;
  readonly hosts: Set<HostNode>;
  readonly settings: Settings;
  priority: number;
}

export interface HostNode {
  readonly name: string;
  readonly groups: Set<GroupNode>;
  readonly settings: Settings;
  /** Where it was first named. */
  readonly origin: Origin;
  /** The file of that place, absolute; undefined where that is no file. */
  readonly file: string | undefined;
}

/**
 * The hosts and groups of all sources while they are read, in the order they are first named.
 * `all` and `ungrouped` are always there. Sources only add: a later one wins where both say something.
 */
export class Graph {
  readonly groups = new Map<string, GroupNode>();
  readonly hosts = new Map<string, HostNode>();
  /** What was read but not followed, for the operator: each as `file:line: …`. */
  readonly notes = new Set<string>();
  /** The file that is being read, absolute; undefined where it is no file. */
  file: string | undefined;
  /** Variables of a host that landed in the group of the same name. */
  private readonly diverted: { host: HostNode; group: GroupNode; variable: string; origin: Origin }[] = [];

  constructor() {
    const origin = { file: 'inventory', line: undefined };
    this.addChild(this.addGroup('all', origin), this.addGroup('ungrouped', origin), origin);
  }

  /** The group of this name, made if it is new. */
  addGroup(name: string, origin: Origin): GroupNode {
    const known = this.groups.get(name);
    if (known !== undefined) return known;
    requireGroupName(name, origin);
    const group: GroupNode = {
      name,
      children: new Set(),
      parents: new Set(),
      hosts: new Set(),
      settings: new Map(),
      priority: 1,
    };
    this.groups.set(name, group);
    return group;
  }

  /**
   * The host of this name, made if it is new, as a member of `group`.
   * The port counts only for a new host, as in Ansible; a different one later is noted.
   */
  addHost(name: string, group: GroupNode, origin: Origin, port?: number): HostNode {
    const host = this.hosts.get(name) ?? this.newHost(name, origin, port);
    const known = host.settings.get('ansible_port')?.value;
    if (port !== undefined && known !== port)
      this.note(origin, `the port ${port} of ${name} is not used: the host is already known without it`);
    group.hosts.add(host);
    host.groups.add(group);
    return host;
  }

  private newHost(name: string, origin: Origin, port: number | undefined): HostNode {
    requireListable(name, origin);
    if (this.hosts.size >= MAX_HOSTS)
      throw mistake(origin, `this is more than ${MAX_HOSTS} hosts`, 'Look for a mistyped range.');
    const host: HostNode = { name, groups: new Set(), settings: new Map(), origin, file: this.file };
    if (port !== undefined) host.settings.set('ansible_port', { value: port, origin });
    this.hosts.set(name, host);
    return host;
  }

  addChild(parent: GroupNode, child: GroupNode, origin: Origin): void {
    if (parent.children.has(child)) return;
    if (child.name === 'ungrouped' && parent.name !== 'all')
      throw mistake(
        origin,
        `"ungrouped" cannot be a child of ${quoted(parent.name)}: its hosts would be in a group and in none`,
        'Put the hosts in a group of their own.',
      );
    const cycle = parent === child || descendants(child).includes(parent);
    if (cycle)
      throw mistake(
        origin,
        `${quoted(child.name)} cannot be a child of ${quoted(parent.name)}: it contains it`,
        'Break the cycle of groups.',
      );
    parent.children.add(child);
    child.parents.add(parent);
  }

  setGroupVariable(group: GroupNode, name: string, setting: Setting): void {
    if (name === 'ansible_group_priority') group.priority = priority(setting);
    else group.settings.set(name, setting);
  }

  /**
   * Sets a variable of a host; where a group has the same name, Ansible gives it to the group instead,
   * and so it is here (see `refuseDiverted`).
   */
  setHostVariable(host: HostNode, name: string, setting: Setting): void {
    const namesake = this.groups.get(host.name);
    if (namesake === undefined) {
      host.settings.set(name, setting);
      return;
    }
    this.setGroupVariable(namesake, name, setting);
    this.diverted.push({ host, group: namesake, variable: name, origin: setting.origin });
  }

  note(origin: Origin, message: string): void {
    const { file, line } = origin;
    this.notes.add(printable(line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`));
  }

  /** Puts every group under `all`, and every host that is in no group into `ungrouped`, and in nothing else. */
  settle(): void {
    const all = this.groups.get('all')!;
    const ungrouped = this.groups.get('ungrouped')!;
    const origin = { file: 'inventory', line: undefined };
    for (const group of this.groups.values())
      if (group !== all && group.parents.size === 0) this.addChild(all, group, origin);
    for (const host of this.hosts.values()) {
      const grouped = [...host.groups].some((group) => group !== all && group !== ungrouped);
      if (grouped && host.groups.delete(ungrouped)) ungrouped.hosts.delete(host);
      if (!grouped && !host.groups.has(ungrouped)) {
        host.groups.add(ungrouped);
        ungrouped.hosts.add(host);
      }
    }
    this.refuseDiverted();
  }

  /** A connection variable meant for one host must not redirect the others of the group of that name. */
  private refuseDiverted(): void {
    for (const { host, group, variable, origin } of this.diverted) {
      if (!variable.startsWith('ansible_')) continue;
      const victim = groupHosts(group).find((member) => member !== host);
      if (victim !== undefined)
        throw mistake(
          origin,
          `${variable} of the host ${quoted(host.name)} would also hold for ${quoted(victim.name)}, because a group has the host’s name`,
          'Rename the group or the host.',
        );
    }
  }
}

function priority({ value, origin }: Setting): number {
  const text = typeof value === 'string' ? value.trim() : value;
  const number = typeof text === 'string' && !/^[-+]?\d+$/.test(text) ? Number.NaN : Number(text);
  if (text === null || typeof text === 'object' || !Number.isFinite(number))
    throw mistake(origin, `ansible_group_priority is not a number: ${quoted(String(value))}`, 'Write a whole number.');
  return Math.trunc(number);
}

/** The group and all below it, breadth first: the order in which Ansible lists the hosts of a group. */
export function descendants(group: GroupNode): GroupNode[] {
  const seen = new Set([group]);
  // A Set iterates over what is added meanwhile, which makes it the queue.
  for (const each of seen) for (const child of each.children) seen.add(child);
  return [...seen];
}

/** The hosts of a group and of all groups below it, each once. */
export function groupHosts(group: GroupNode): HostNode[] {
  return [...new Set(descendants(group).flatMap((each) => [...each.hosts]))];
}

/** The groups a host is in, directly or through their children, `all` included. */
export function groupsOf(host: HostNode): Set<GroupNode> {
  const seen = new Set(host.groups);
  for (const group of seen) for (const parent of group.parents) seen.add(parent);
  return seen;
}

/** How far below `all` each group is, by the longest way. */
export function depths(graph: Graph): Map<GroupNode, number> {
  const result = new Map<GroupNode, number>();
  const depth = (group: GroupNode): number => {
    const known = result.get(group);
    if (known !== undefined) return known;
    let deepest = 0;
    for (const parent of group.parents) deepest = Math.max(deepest, depth(parent) + 1);
    result.set(group, deepest);
    return deepest;
  };
  for (const group of graph.groups.values()) depth(group);
  return result;
}
