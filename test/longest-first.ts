/** Begins with the test files that take longest, so that no worker is left with one of them when the others are done. */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Seconds in a whole run on two cores, of those that take long. `npm test` prints the slowest at its end. */
const SECONDS: Readonly<Record<string, number>> = {
  // the lab
  'systemd-contract': 600,
  'every-step': 300,
  waves: 150,
  deadman: 540,
  expires: 390,
  recover: 270,
  'any-state': 180,
  'controller-killed': 170,
  midway: 190,
  watch: 80,
  services: 62,
  packages: 60,
  stops: 57,
  'cut-line': 50,
  'second-factor': 50,
  // everything else
  bastion: 150,
  displacement: 300,
  'remote-program': 250,
  switch: 250,
  history: 60,
  simulation: 400,
  'hostile-openssh': 50,
  interruption: 40,
  patterns: 150,
  visit: 90,
  'systemd-shim': 300,
};
const OTHERS = 20;

const secondsOf = (file: TestSpecification) => SECONDS[basename(file.moduleId, '.test.ts')] ?? OTHERS;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => secondsOf(b) - secondsOf(a) || (a.moduleId < b.moduleId ? -1 : 1));
  }
}
