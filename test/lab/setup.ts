/**
 * Before the lab tests: what hosts of each kind boot from, in a lab of this run's own. It never meets a lab that a person
 * plays with, nor another run's, and what a killed run left is cleaned up by the next.
 */
import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { claimDir, type Lab, openLab, sweepLabs } from './lab.ts';

const PARENT = '/var/tmp';
const PREFIX = 'fleetmask-lab-test-';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the lab of this run is, or why there is none. */
    lab: { readonly dir: string; readonly missing: Record<string, string> } | { readonly why: string };
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const say = (line: string) => process.stderr.write(`lab: ${line}\n`);
  let dir: string | undefined;
  let lab: Lab | undefined;
  const tearDown = async () => {
    await lab?.down();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  };
  try {
    dir = await claimDir(PARENT, PREFIX);
    lab = await openLab({ dir, say });
    await sweepLabs(PARENT, PREFIX);
    const missing = await lab.build();
    const [first] = missing;
    if (first !== undefined && process.env.CI) throw new Error(`no ${first[0]}: ${first[1]}`);
    project.provide('lab', { dir: lab.dir, missing: Object.fromEntries(missing) });
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
