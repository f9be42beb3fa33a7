/** What a host tells of its session → facts; what has not the expected form is not believed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { dependenceFrom } from '../../src/remote/dependence.ts';

function records(text: string): HostRecord[] {
  return text.split('\n').map((line) => {
    const blank = line.indexOf(' ');
    return blank < 0 ? { kind: line, text: '' } : { kind: line.slice(0, blank), text: line.slice(blank + 1) };
  });
}

const TOLD = `unit Id=ssh.socket
unit ActiveState=active
unit Listen=127.0.0.1:22 (Stream)
unit Listen=[::]:2222 (Stream)
unit Listen=/run/x.sock (Stream)
unit Listen=vsock::22 (Stream)
unit Listen=[::1]:53 (Datagram)
unit Triggers=ssh.service
unit
beyond Id=ssh.service
beyond Names=ssh.service sshd.service $(reboot)
beyond ActiveState=active
beyond MainPID=35
beyond RequiredBy=a.service
beyond BoundBy=b.service -x
beyond
session process 53 session-4.scope sh
session process 35 - s\u001bshd (deleted)
session process x y z
session server fe80::2%eth0 22
session listener 35
session listener -1
session interface eth0
session owner eth0 systemd-networkd.service
session owner eth0 $(reboot)
session owner eth9 other.service
session login passwd files [NOTFOUND=return] sss
session home /home/$(reboot)
session home /home/op
use lvm
use md
use md by md0
use md boots /
use md boots \u001b[2J
use md steals /
use ../x by y`;

describe('of what a host tells of its session', () => {
  const told = dependenceFrom(records(TOLD));

  it('who uses what is read; a topic that is not told is not known', () => {
    expect([...(told?.uses ?? [])]).toEqual([
      ['lvm', { by: [], boots: [] }],
      ['md', { by: ['md0'], boots: ['/', '\\x1b[2J'] }],
    ]);
  });

  it('TCP ports, dependents by their property, and names are read', () => {
    expect(told?.units).toEqual([
      expect.objectContaining({
        id: 'ssh.socket',
        listens: [
          { address: '127.0.0.1', port: 22 },
          { address: null, port: 2222 },
        ],
        triggers: ['ssh.service'],
      }),
      expect.objectContaining({
        names: ['ssh.service', 'sshd.service'],
        mainPid: 35,
        dependents: [
          { unit: 'a.service', by: 'Requires' },
          { unit: 'b.service', by: 'BindsTo' },
        ],
      }),
    ]);
  });

  it('what is no number, unit name, address or interface is dropped, and names are safe to show', () => {
    expect(told?.session).toEqual({
      processes: [
        { pid: 53, unit: 'session-4.scope', name: 'sh' },
        { pid: 35, unit: null, name: expect.not.stringContaining('\u001b') },
      ],
      server: { address: 'fe80::2%eth0', port: 22 },
      listeners: [35],
      networks: [{ interface: 'eth0', owners: ['systemd-networkd.service'] }],
      home: '/home/op',
      logins: [{ database: 'passwd', sources: ['files', 'sss'] }],
    });
  });

  it.each([
    ['with the last unit that needs it', 'WantedBy=keeper.service', ['StopWhenUnneeded']],
    ['not where a target needs it', 'WantedBy=keeper.service multi-user.target', []],
  ])('a unit that stops when nothing needs it stops %s', (_what, pins, by) => {
    const told = `unit Id=keeper.service\nunit\nbeyond Id=ssh.service\nbeyond ${pins}\nbeyond StopWhenUnneeded=yes\nbeyond\nsession process 5 ssh.service sshd`;
    const [keeper] = dependenceFrom(records(told))?.units ?? [];
    expect(keeper?.dependents).toEqual(by.map((need) => ({ unit: 'ssh.service', by: need })));
  });

  it('nothing is known where nothing was asked', () => {
    expect(dependenceFrom(records('unit Id=a.service\nunit'))).toBeNull();
  });

  it('nothing makes it throw', () => {
    const word = fc.constantFrom(
      'process',
      'server',
      'listener',
      'interface',
      'owner',
      'login',
      'home',
      '1',
      '22',
      'a.service',
      '',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
        expect(dependenceFrom([{ kind: 'session', text: words.join(' ') }])).not.toBeNull();
      }),
    );
  });
});
