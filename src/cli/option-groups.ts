/** Under what flags stand in the help. */
export const CONNECTION = 'Ways in:';
export const SELECTION = 'Hosts:';
export const CHANGE = 'What is done:';
export const OUTPUT = 'Output:';
export const WATCH = 'How it is watched:';
