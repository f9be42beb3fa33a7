/** What a host is to do by itself with the change of a run. At least one of the two is there. */
export interface SwitchOrder {
  /** Put itself back when so many seconds have passed without a confirmation. */
  readonly confirmWithin: number | null;
  /** Put itself back at this time, in seconds since 1970 by the host's own clock. */
  readonly expires: number | null;
}

/** A run's switch as the host tells of it now. */
export interface SwitchState {
  readonly run: string;
  /**
   * `waiting`: armed. `firing`: its time has come, and it waits for its turn. `restoring`: it has begun to put the host back, and has
   * not done it yet. `failed`: it gave up, until the next boot. `unreadable`: its terms cannot be read, so it is due. `lost`: its
   * units are there, and its receipt is not. `none`: there is
   * none, any more.
   */
  readonly timer: 'waiting' | 'firing' | 'restoring' | 'failed' | 'unreadable' | 'lost' | 'none' | 'other';
  /** Seconds left for a confirmation; null: none is awaited. */
  readonly confirmLeft: number | 'unknown' | null;
  /** By the host's clock, in seconds since 1970; null: never. */
  readonly expires: number | null;
}

/** That a switch has put the host back; the host forgets it at its next boot. */
export interface SwitchEnd {
  readonly run: string;
  /** By the host's clock, in seconds since 1970. */
  readonly at: number;
  /** `superseded`: nothing of the run was left to put back. */
  readonly why: 'unconfirmed' | 'expired' | 'superseded';
}

/** What is to become of a run's switch. */
export interface KeepOrder {
  /** End the wait for a confirmation: the change stays. */
  readonly confirm: boolean;
  /** By the host's clock, in seconds since 1970; `never`: for good; null: as it is. */
  readonly expires: number | 'never' | null;
}
