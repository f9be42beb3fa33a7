import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';
import { Slowest } from './test/slowest.ts';

// Deadlines are bounds against hanging and measure nothing: machines may be slow, and busy with all of this at once.
const patience = { testTimeout: 600_000, hookTimeout: 600_000, expect: { poll: { timeout: 60_000 } } };

export default defineConfig({
  test: {
    teardownTimeout: 120_000,
    reporters: ['default', new Slowest()],
    sequence: { sequencer: LongestFirst },
    // Together more workers than cores, because most of these tests wait for something most of the time. With more of them a run
    // takes as long, and each test longer.
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/lab/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/setup.ts'],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
    ],
  },
});
