/** Shares test files out to shards by how long they take, so that shards which run side by side end together. */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Seconds on two busy cores, of those that take long. */
const SECONDS: Readonly<Record<string, number>> = {
  'systemd-contract': 400,
  'every-step': 290,
  deadman: 290,
  expires: 250,
  'controller-killed': 200,
  waves: 130,
  recover: 110,
  'any-state': 100,
  interrupted: 90,
  untouched: 80,
  midway: 75,
};
const OTHERS = 35;

const secondsOf = (file: TestSpecification) => SECONDS[basename(file.moduleId, '.test.ts')] ?? OTHERS;

export class Balanced extends BaseSequencer {
  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index, count } = this.ctx.config.shard!;
    const shards = Array.from({ length: count }, () => ({ seconds: 0, files: [] as TestSpecification[] }));
    // the longest first, each to who has least; every shard comes to the same
    const inOrder = files.toSorted((a, b) => secondsOf(b) - secondsOf(a) || (a.moduleId < b.moduleId ? -1 : 1));
    for (const file of inOrder) {
      const least = shards.reduce((a, b) => (b.seconds < a.seconds ? b : a));
      least.files.push(file);
      least.seconds += secondsOf(file);
    }
    return shards[index - 1]!.files;
  }
}
