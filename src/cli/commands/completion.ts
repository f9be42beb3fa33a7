import { UsageError } from '../../model/index.ts';
import { EXIT } from '../../operations/exit.ts';
import { command } from '../command.ts';
import { SCRIPTS, SHELLS } from '../completion.ts';

export const completion = command({
  name: 'completion',
  usage: 'completion <shell>',
  describe: 'print the script that completes commands, flags, choices, units and runs in bash, zsh or fish',
  examples: [
    ['source <(fleetmask completion bash)', 'in ~/.bashrc'],
    ['source <(fleetmask completion zsh)', 'in ~/.zshrc, after compinit'],
    ['fleetmask completion fish > ~/.config/fish/completions/fleetmask.fish', 'once'],
  ],
  options: { shell: { type: 'string', hidden: true } },
  words: { shell: SHELLS },
  positional: (argv) => argv.positional('shell', { type: 'string', describe: SHELLS.join(', ') }),
  run: async (io, { shell }) => {
    const known = SHELLS.find((each) => each === shell);
    if (known === undefined) throw new UsageError(`completion ${shell}: expected ${SHELLS.join(', ')}`);
    io.stdout.write(SCRIPTS[known]);
    return EXIT.ok;
  },
});
