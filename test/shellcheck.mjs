// Every shell program of the repository passes shellcheck. Where shellcheck is missing, CI fails and a person is told.
import { execFileSync, spawnSync } from 'node:child_process';

/** The parts of one program are checked as one, for a variable may be set in one of them and read in another. */
const PROGRAM = 'src/remote/program/';
const RULES = `# shellcheck shell=sh
# shellcheck disable=SC2086 # lists are words, and globbing is off
# shellcheck disable=SC3013 # dash, bash and busybox know -ef
# shellcheck disable=SC1091 # the switch of a run is read where it is stored
# shellcheck disable=SC2030,SC2031 # a switch of another run is seen to in a process of its own
`;

const files = execFileSync('git', ['ls-files', '*.sh', '.ci/run'], { encoding: 'utf8' }).split('\n').filter(Boolean);
const whole = files.filter((file) => file.startsWith(PROGRAM)).map((file) => `. ./${file}\n`);
const apart = files.filter((file) => !file.startsWith(PROGRAM));
const checks = [
  spawnSync('shellcheck', apart, { stdio: 'inherit' }),
  spawnSync('shellcheck', ['-x', '-a', '-'], { stdio: ['pipe', 'inherit', 'inherit'], input: RULES + whole.join('') }),
];
if (checks.some(({ error }) => error?.code === 'ENOENT')) {
  process.stderr.write('shellcheck is not installed; the shell programs were not checked (apt install shellcheck)\n');
  process.exitCode = process.env.CI ? 1 : 0;
} else {
  process.exitCode = checks.every(({ status }) => status === 0) ? 0 : 1;
}
