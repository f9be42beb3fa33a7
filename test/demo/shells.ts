/** The shells that fleetmask runs under, as far as this machine has them. */
import { existsSync } from 'node:fs';

export interface Shell {
  readonly name: string;
  /** As the `#!` line of a script has it. */
  readonly command: string;
}

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  dash: ['/usr/bin/dash', '/bin/dash'],
  bash: ['/usr/bin/bash', '/bin/bash'],
  busybox: ['/usr/bin/busybox sh', '/bin/busybox sh'],
};

export const SHELLS: readonly Shell[] = Object.entries(KNOWN).flatMap(([name, commands]) => {
  const command = commands.find((each) => existsSync(each.split(' ')[0] ?? ''));
  return command === undefined ? [] : [{ name, command }];
});
