/**
 * Before the lab tests: what hosts of each kind boot from, and a lab for each worker, so that files run side by side. They never
 * meet a lab that a person plays with, nor another run's, and what a killed run left is cleaned up by the next.
 */
import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { claimDir, type Lab, openLab, sweepLabs } from './lab.ts';

const PARENT = '/var/tmp';
const PREFIX = 'fleetmask-lab-test-';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the labs of this run are, one for each worker, or why there are none. */
    lab: { readonly dirs: readonly string[]; readonly missing: Record<string, string> } | { readonly why: string };
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const say = (line: string) => process.stderr.write(`lab: ${line}\n`);
  const labs: Lab[] = [];
  const tearDown = async () => {
    await Promise.all(labs.map((lab) => lab.down()));
    for (const { dir } of labs) rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (let worker = 0; worker < project.config.maxWorkers; worker++) {
      labs.push(await openLab({ dir: await claimDir(PARENT, PREFIX), say }));
    }
    await sweepLabs(PARENT, PREFIX);
    const missing = await labs[0]!.build();
    const [first] = missing;
    if (first !== undefined && process.env.CI) throw new Error(`no ${first[0]}: ${first[1]}`);
    project.provide('lab', { dirs: labs.map(({ dir }) => dir), missing: Object.fromEntries(missing) });
    return tearDown;
  } catch (error) {
    await tearDown();
    const why = (error as Error).message;
    // where CI cannot run these tests, they have not passed
    if (process.env.CI) throw error;
    say(`tests on real hosts are skipped: ${why}`);
    project.provide('lab', { why });
    return undefined;
  }
}
