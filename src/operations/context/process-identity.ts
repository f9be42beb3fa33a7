/** This process, and whether another one is still there; from /proc where there is one. */

import { readFileSync, readlinkSync } from 'node:fs';
import { kill, pid } from 'node:process';
import type { Controller } from '../../journal/records.ts';
import type { Life } from '../../journal/run-lock.ts';
import type { Io } from '../io.ts';

export function thisProcess(machine: string): Pick<Io, 'controller' | 'lifeOf'> {
  const controller = controllerOf(pid, machine);
  return { controller, lifeOf: (other) => lifeOf(other, controller, answersSignals) };
}

function answersSignals(other: number): boolean {
  try {
    return kill(other, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function controllerOf(pid: number, machine: string): Controller {
  return {
    machine,
    pid,
    bootId: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: read(() => readlinkSync('/proc/self/ns/pid')),
    started: startOf(pid),
  };
}

/** `signal`: whether a process of this number can be signalled; for systems that tell no more. */
export function lifeOf(other: Controller, self: Controller, signal: (pid: number) => boolean): Life {
  if (other.machine !== self.machine) return 'unknown';
  if (other.bootId !== null && self.bootId !== null && other.bootId !== self.bootId) return 'gone';
  if (other.namespace !== self.namespace) return 'unknown';
  if (other.started !== null) return startOf(other.pid) === other.started ? 'alive' : 'gone';
  return signal(other.pid) ? 'alive' : 'gone';
}

/** In ticks since the machine booted: tells a process from a later one of the same number. A zombie has ended. */
function startOf(pid: number): string | null {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // the name, in brackets, may hold anything
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

function read(from: () => string): string | null {
  try {
    return from();
  } catch {
    return null;
  }
}
