/** What holds where nobody says otherwise, on the command line and for programs alike. */
export const DEFAULTS = {
  forks: 50,
  'host-timeout': '3m',
  'rollback-timeout': '150s',
  rollback: 'host',
  'local-units': 'refuse',
  expect: 'masked',
} as const;
