import type { Fault } from '../model/index.ts';
import type { Style } from './paint.ts';

/** A host, and what went wrong there. */
export interface Failure {
  readonly host: string;
  readonly address: string;
  readonly fault: Pick<Fault, 'message' | 'hint' | 'hostKey'> & { readonly kind: string };
  readonly style: Style;
}
