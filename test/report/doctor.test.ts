import { describe, expect, it, test } from 'vitest';
import { fault } from '../../src/model/index.ts';
import { type DoctorRow, doctorTable, troublesOf } from '../../src/report/index.ts';
import { widthOf } from '../../src/report/text.ts';

const SCREEN = { columns: 80, color: false };
const KEY = 'ssh-ed25519 SHA256:AbCdEfGh… from /home/alice/.ssh/id_ed25519';
const row: DoctorRow = {
  host: 'web1',
  user: 'root',
  address: '10.0.0.1',
  port: 22,
  hostKey: 'ssh-ed25519',
  strictKex: true,
  login: [{ method: 'publickey', identity: KEY }],
  privilege: { kind: 'root' },
  os: { id: 'debian', version: '12', name: 'Debian' },
  systemd: 252,
  systemdState: 'running',
  clockSkew: 0,
  seconds: 0.2,
  fault: null,
};
const nothing = { hostKey: null, strictKex: null, login: null, privilege: null, os: null } as const;
const down: DoctorRow = {
  ...row,
  ...nothing,
  host: 'db9',
  systemd: null,
  systemdState: null,
  clockSkew: null,
  fault: fault('unreachable', '10.0.0.9:22 refused the connection'),
};

test('doctor', async () => {
  const rows: DoctorRow[] = [
    down,
    {
      ...row,
      host: 'db1',
      user: 'bob',
      privilege: { kind: 'none', why: 'sudo wants a password' },
      fault: fault('no-privilege', 'sudo wants a password', 'Log in as root.'),
    },
    { ...row, host: 'old1', systemd: 219, systemdState: 'degraded', strictKex: false, clockSkew: -73 },
    {
      ...row,
      host: 'web2',
      login: [
        { method: 'publickey', identity: KEY },
        { method: 'password', identity: null },
      ],
    },
    row,
  ];
  await expect(doctorTable(rows, SCREEN, { verbose: false })).toMatchFileSnapshot('golden/doctor.txt');
  await expect(doctorTable(rows, SCREEN, { verbose: true })).toMatchFileSnapshot('golden/doctor-verbose.txt');
});

describe('doctor on a thousand hosts', () => {
  const fleet = Array.from({ length: 1000 }, (_, i): DoctorRow => {
    const seconds = 0.1 + i / 1000;
    if (i % 100 === 7)
      return {
        ...down,
        host: `web${i}`,
        address: `10.0.0.${i}`,
        fault: fault('unreachable', `10.0.0.${i}:22 refused the connection`),
      };
    return {
      ...row,
      host: `web${i}`,
      address: `10.0.0.${i}`,
      seconds,
      systemdState: i % 50 === 3 ? 'degraded' : 'running',
    };
  });

  it('is readable: equal hosts share a row', () => {
    const text = doctorTable(fleet, SCREEN, { verbose: false });
    expect(text.split('\n').length).toBeLessThan(25);
    expect(text).toContain('1000 hosts: 990 ready, 10 not (-v shows each host)');
    expect(text).toContain('web3, web53 (+18 more): systemd is degraded');
  });

  it('shows each of them when asked, in lines that fit the screen', () => {
    const text = doctorTable(fleet, { columns: 100, color: false }, { verbose: true });
    expect(text).toContain('web999');
    for (const line of text.split('\n').slice(0, 900)) expect(widthOf(line)).toBeLessThanOrEqual(100);
  });
});

test('each trouble has its hint, and a host without any has none', () => {
  expect(troublesOf(row)).toEqual([]);
  expect(troublesOf({ ...row, clockSkew: 5 })).toEqual([]);
  expect(troublesOf({ ...row, clockSkew: 6 })[0]?.message).toBe('its clock is 6 s ahead');
  expect(troublesOf({ ...row, systemdState: 'starting', strictKex: false })).toHaveLength(2);
  expect(troublesOf(down)).toEqual([]);
});
