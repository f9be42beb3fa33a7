import { defineConfig } from 'vitest/config';
import { Balanced } from './test/lab/balanced.ts';

// Deadlines are bounds against hanging and measure nothing: machines may be slow, and busy with all of this at once.
const patience = { testTimeout: 600_000, hookTimeout: 600_000, expect: { poll: { timeout: 60_000 } } };

export default defineConfig({
  test: {
    teardownTimeout: 120_000,
    sequence: { sequencer: Balanced },
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/lab/**'], ...patience } },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/setup.ts'],
          fileParallelism: false,
          ...patience,
        },
      },
    ],
  },
});
