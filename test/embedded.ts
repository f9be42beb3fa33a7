/** The embedded fleet, as tests use it. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach } from 'vitest';
import { type Fleet, startFleet } from '../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../src/demo/hosts.ts';
import type { Io } from '../src/operations/io.ts';
import { type Operator, operator } from './operator.ts';

/** These hosts of the demonstration, in this order, in one group. */
export function demoFleet(names: readonly string[]): Promise<Fleet> {
  const specs = names.map((name) => ({ ...DEMO_HOSTS.find((spec) => spec.name === name)!, group: 'fleet' }));
  return startFleet(specs, { path: process.env.PATH ?? '', tempDir: tmpdir() });
}

/** Operators, each for one test: after it, what the last run of each has left masked is put back. */
export function operatorsOn(fleet: () => Fleet): (world?: Partial<Io>) => Operator {
  const made: Operator[] = [];
  afterEach(async () => {
    for (const each of made.splice(0)) {
      if (existsSync(each.stateDir)) await each.run('rollback', 'last', '-y', '--known-hosts', fleet().knownHostsPath);
      each.dispose();
    }
  });
  return (world) => {
    const one = operator(world);
    made.push(one);
    return one;
  };
}
