import type { Lever, MissingLever, Rhythm, Sign } from './schema.ts'

/** What is known of somebody who has not come back, as of an instant; each fact with its number. */
export interface Signals {
  readonly last_occasion_at: Date
  /** Their latest refund since that occasion. */
  readonly refund: Fact | null
  /** Their latest question since then that nobody has answered. */
  readonly question: Fact | null
  /** The latest basket since then. */
  readonly cart: Fact | null
  /** Their latest review since then, where it is a bad one. */
  readonly bad_review: Fact | null
  /** Reactions of theirs (opened, clicked, liked, shared, checked in …) in the last 60 days, and in the 180 before. */
  readonly reactions: number
  readonly reactions_before: number
  readonly last_reaction: Fact | null
  /** Occasions in the last two years, and how many of them followed a coupon of theirs within a week. */
  readonly occasions: number
  readonly with_coupon: number
  readonly is_member: boolean
  /** The latest word with an adviser. */
  readonly reply: Fact | null
}
export interface Fact {
  readonly fact_id: number
  readonly at: Date
}

/** Fewer reactions than this in half a year are no habit that could have stopped. */
const REACTIONS_MIN = 3
/** Fewer occasions than this say nothing of what they wait for. */
const OCCASIONS_MIN = 3

/**
 * What is missing for somebody who is late, at risk or lapsed to act: action is motivation, ability and trigger together
 * (docs/definitions.md §3.10). An obstacle comes first, since no message helps against it; then motivation, then ability; where nothing
 * speaks for any of these the day has passed and nothing reminded them: a trigger. All signs are given, the lever's own first.
 *
 * @returns null for somebody in rhythm.
 */
export function missingLever(rhythm: Rhythm, signals: Signals): MissingLever | null {
  if (rhythm === 'in_rhythm') return null
  const { refund, question, cart, bad_review: review, occasions, with_coupon: coupons } = signals
  const stopped = signals.reactions === 0 && signals.reactions_before >= REACTIONS_MIN
  const signs: Sign[] = [
    ...sign('obstacle', 'returned', refund),
    ...sign('obstacle', 'question_open', question),
    ...sign('obstacle', 'cart_left', cart),
    ...sign('motivation', 'bad_review', review),
    ...(stopped ? sign('motivation', 'stopped_reacting', signals.last_reaction, signals.reactions_before) : []),
    ...(occasions >= OCCASIONS_MIN && 2 * coupons > occasions
      ? [{ ...NO_FACT, lever: 'motivation', sign: 'waits_for_coupons', count: coupons, of: occasions } as const]
      : []),
    ...(signals.is_member ? [] : [{ ...NO_FACT, lever: 'ability', sign: 'not_enrolled' } as const]),
    { ...NO_FACT, lever: 'trigger', sign: 'day_passed', at: signals.last_occasion_at.toISOString() },
    ...sign('trigger', 'last_word', signals.reply),
  ]
  const [first] = signs
  return first ? { lever: first.lever, signs } : null
}

const NO_FACT = { at: null, fact_id: null, count: null, of: null }

function sign(lever: Lever, name: Sign['sign'], fact: Fact | null, count: number | null = null): Sign[] {
  if (!fact) return []
  return [{ lever, sign: name, at: fact.at.toISOString(), fact_id: fact.fact_id, count, of: null }]
}
