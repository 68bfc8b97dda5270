/**
 * The one place where time enters. Everything else takes `now` as an argument, so that any question can be
 * asked as of any instant and every test can set the hour.
 */
export interface Clock {
  /** The present instant. */
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }
