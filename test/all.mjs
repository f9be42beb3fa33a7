// `npm test`: the lab, which mostly waits for hosts, beside everything else. With arguments, vitest with those.
import { spawn } from 'node:child_process';

const args = process.argv.slice(2);
const runs =
  args.length > 0
    ? [args]
    : [
        ['--project', 'unit'],
        ['--project', 'lab'],
      ];
const codes = await Promise.all(
  runs.map((run) => {
    const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...run], { stdio: 'inherit' });
    return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  }),
);
process.exitCode = Math.max(...codes);
