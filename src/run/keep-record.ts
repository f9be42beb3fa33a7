import type { KeepOrder } from '../model/index.ts';

/** Someone decides that the change stays. */
export interface Keep {
  readonly type: 'keep';
  readonly at: string;
  readonly actor: string;
  readonly command: 'confirm' | 'extend' | 'release';
  readonly hosts: readonly string[];
}

/** On disk before the request is sent; until the host is settled it is as it was known before. */
export interface Keeping {
  readonly type: 'keeping';
  readonly at: string;
  readonly host: string;
  readonly seq: number;
  readonly order: KeepOrder;
}
