import { DAY_MS, HOUR_MS } from './calendar.ts'
import type { Files } from './files.ts'
import { type Club, inDeck, type Person, referrerOf, tellerOf } from './people.ts'
import { Random } from './random.ts'

const time = (at: number) => new Date(at).toISOString()
const CAMPAIGN = 'bring a friend'
/** Of the people who were brought, those whom one of the few brought who tell everybody. */
const TOLD_SHARE = 0.3
/** Decks of 200 people between two that have rings in them. */
const RING_DECKS = 4
/** Decks whose leads one person claims to have brought, all in one evening. */
const VELOCITY_DECKS = 50

/** Who is said to have brought whom: honest chains, and what people try for a reward. */
export function writeReferrals(files: Files, club: Club, person: Person): void {
  const random = Random.of(club.seed + 6, person.number)
  const { number, story, card, deck, channel, joinedAt, ids } = person
  const claim = (nth: number, referrer: Person, at: number, byPhone = false) => {
    if (at >= club.calendar.now) return
    const by = byPhone ? ['', '', referrer.phone] : [referrer.ids.shop ?? '', referrer.ids.externalUserid ?? '', '']
    const who = ids.externalUserid ?? ''
    files.referral_claims.row(`F${number + 1}-${nth}`, ...by, who, who ? '' : person.phone, time(at), CAMPAIGN)
  }
  if (channel === 'referral') {
    const anybody = referrerOf(club, random, person)
    const told = Random.of(club.seed + 8, number)
    const referrer = (told.chance(TOLD_SHARE) && tellerOf(club, told, person)) || anybody
    if (referrer) claim(1, referrer, joinedAt - random.next() * 3 * DAY_MS)
    // Two say so; the second some days later.
    const second = referrer && random.chance(0.06) ? referrerOf(club, random, person) : undefined
    if (second) claim(2, second, joinedAt + DAY_MS)
    // Oneself, by another of one's own identities.
    if (random.chance(0.01)) claim(3, person, joinedAt + HOUR_MS, true)
  }
  // Cards 0 and 1 bring each other, 2 brings 3, 3 brings 4, and 4 brings 2.
  if (story.story === 'quiet follower' && deck % RING_DECKS === 0 && card < 5) {
    const next = inDeck(club, deck, story.story, card < 2 ? 1 - card : card === 4 ? 2 : card + 1)
    if (next) claim(4, next, joinedAt + random.next() * DAY_MS, true)
  }
  if (story.story === 'lead' && card < 2) {
    const collector = inDeck(club, deck - (deck % VELOCITY_DECKS), 'tried once', 0)
    if (collector) claim(5, collector, club.calendar.velocityBurst + random.next() * 2 * HOUR_MS)
  }
}
