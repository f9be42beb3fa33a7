// Every shell program of the repository passes shellcheck. Where shellcheck is missing, CI fails and a person is told.
import { execFileSync, spawnSync } from 'node:child_process';

const files = execFileSync('git', ['ls-files', '*.sh', '.ci/run'], { encoding: 'utf8' }).split('\n').filter(Boolean);
const { status, error } = spawnSync('shellcheck', files, { stdio: 'inherit' });
if (error?.code === 'ENOENT') {
  process.stderr.write('shellcheck is not installed; the shell programs were not checked (apt install shellcheck)\n');
  process.exitCode = process.env.CI ? 1 : 0;
} else {
  process.exitCode = status ?? 1;
}
