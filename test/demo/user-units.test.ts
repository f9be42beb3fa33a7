/** What the remote program sees of services that users run by managers of their own: by control groups, and by no question to anybody. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { converse } from '../contract/systemd-under-test.ts';
import { sleeper, VENDOR } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const managerOf = (uid: string, mount = '/sys/fs/cgroup') =>
  `${mount}/user.slice/user-${uid}.slice/user@${uid}.service`;

describe.each(SHELLS)('under $name', (sh) => {
  let host: SimulatedHost;
  beforeAll(async () => {
    host = await SimulatedHost.boot(sh, {
      files: { [`${VENDOR}/fm-a.service`]: sleeper(), [`${VENDOR}/fm-b@.service`]: sleeper() },
    });
  });
  beforeEach(() => host.reset());
  afterAll(() => host.dispose());

  async function seen(groups: readonly string[], ...words: string[]): Promise<string[]> {
    for (const group of groups) await mkdir(join(host.dir, group), { recursive: true });
    const [, told] = await converse(host, [], ['probe', ...words]);
    return told!.rest.filter((record) => record.startsWith('user ')).map((record) => record.slice('user '.length));
  }

  it('in the standard slices, on both kinds of control groups, and of an instance', async () => {
    const groups = [
      `${managerOf('1000')}/app.slice/fm-a.service`,
      `${managerOf('1001')}/fm-a.service`,
      `${managerOf('1002', '/sys/fs/cgroup/systemd')}/session.slice/fm-a.service`,
      `${managerOf('1003')}/app.slice/app-fm\\x2db.slice/fm-b@x.service`,
    ];
    expect(await seen(groups, 'members=yes', 'name=fm-a.service', 'name=fm-b@x.service')).toEqual([
      '1000 fm-a.service',
      '1001 fm-a.service',
      '1003 fm-b@x.service',
      '1002 fm-a.service',
    ]);
  });

  it('nothing of other names, of directories that are no manager, or where nobody asked', async () => {
    const groups = [
      `${managerOf('1000')}/app.slice/fm-other.service`,
      `${managerOf('$(id)')}/app.slice/fm-a.service`,
      `${managerOf('1')}/deep/er/fm-a.service`,
    ];
    expect(await seen(groups, 'members=yes', 'name=fm-a.service')).toEqual([]);
    expect(await seen([`${managerOf('1000')}/fm-a.service`], 'name=fm-a.service')).toEqual([]);
  });

  it('so many and no more, however many there are', async () => {
    const groups = Array.from({ length: 140 }, (_, i) => `${managerOf(String(2_000 + i))}/fm-a.service`);
    expect(await seen(groups, 'members=yes', 'name=fm-a.service')).toHaveLength(100);
  });
});
