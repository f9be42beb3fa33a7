import { amongHostile } from './among-hostile.ts';

amongHostile('ssh2');
