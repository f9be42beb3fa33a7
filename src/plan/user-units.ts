/** Services of the same names that users run by managers of their own (`systemctl --user`): no mask of the system's unit covers them. */
import type { Facts, UnitFacts, UserUnit } from '../model/index.ts';
import { groups, listed, once } from './by-name.ts';

/** A unit that is meant, as its host shows it. */
interface Shown {
  readonly facts: Pick<UnitFacts, 'names'>;
  readonly instances: readonly Pick<UnitFacts, 'id'>[];
}

export function notesOnUsers({ facts: { names }, instances }: Shown, { userUnits = [] }: Facts): string[] {
  const found = [...names, ...instances.map(({ id }) => id)].flatMap((name) => byUnitName(userUnits).get(name) ?? []);
  return found.length === 0 ? [] : [`${sayUsers(found)}: a mask of the system's unit does not cover it`];
}

/** `user 1000 runs syncthing.service by systemctl --user` */
export function sayUsers(found: readonly UserUnit[]): string {
  const users = [...new Set(found.map(({ uid }) => String(uid)))];
  const names = listed([...new Set(found.map(({ name }) => name))]);
  return `${users.length === 1 ? 'user' : 'users'} ${listed(users)} ${users.length === 1 ? 'runs' : 'run'} ${names} by systemctl --user`;
}

export const byUnitName = once((userUnits: readonly UserUnit[]) => groups(userUnits, ({ name }) => name));
