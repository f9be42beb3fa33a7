/** Says at the end of a run which test files took longest: where the next minute is to be saved. */
import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 10;

export class Slowest implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= SHOWN) return;
    const slowest = modules
      .map((module) => ({
        name: `${module.project.name} ${module.relativeModuleId}`,
        ms: module.diagnostic().duration,
      }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, SHOWN);
    const lines = slowest.map(({ name, ms }) => `${(ms / 1000).toFixed(0).padStart(7)} s  ${name}`);
    console.log(`\n The ${SHOWN} slowest files\n${lines.join('\n')}\n`);
  }
}
