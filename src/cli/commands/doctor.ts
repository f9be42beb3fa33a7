import { checkHosts } from '../../operations/doctor.ts';
import { command } from '../command.ts';
import { connection, listing, selection, skipping } from '../options.ts';

export const doctor = command({
  name: 'doctor',
  usage: 'doctor',
  describe: 'can we log in, become root, and is systemd there? Touches nothing',
  examples: [
    ['fleetmask doctor -i hosts.yaml -l all', 'exit 0: every host is ready; 4: some are not'],
    ['fleetmask doctor -i hosts.yaml -l all -v', 'each host by itself, with address and key'],
  ],
  options: { ...selection, ...skipping, ...connection, ...listing },
  run: (io, flags) => checkHosts(io, flags),
});
