/**
 * A refusal is a value, not a throw: the caller asked for something the rules do not allow, and gets told what,
 * where and what to do. Throws are for failures (a bug, a dead disk, a lost connection).
 */
export interface Refusal {
  readonly refused: true
  /** Stable, machine-readable, e.g. `unknown_mapping`. */
  readonly code: string
  readonly kind: 'invalid' | 'forbidden' | 'missing' | 'conflict' | 'over_limit'
  /** What is wrong and where. */
  readonly message: string
  /** What to do about it. */
  readonly remedy: string
}

export function refuse(kind: Refusal['kind'], code: string, message: string, remedy: string): Refusal {
  return { refused: true, kind, code, message, remedy }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { refused?: unknown }).refused === true
}

/** Compile-time proof that a union was handled to the last member; throws if data broke the type. */
export function never(value: never): never {
  throw new Error(`Unhandled case: ${JSON.stringify(value)}`)
}
