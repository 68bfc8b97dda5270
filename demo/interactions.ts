import { DAY_MS, HOUR_MS, midnight } from './calendar.ts'
import type { Files } from './files.ts'
import type { Purchase } from './orders.ts'
import type { Club, Person } from './people.ts'
import { Random } from './random.ts'
import { type InteractionKind, type Rhythm, WINES } from './stories.ts'

const time = (at: number) => new Date(at).toISOString()
const MONTH_MS = 30 * DAY_MS
/** Who has stopped buying looks in for a while yet. */
const FADES_DAYS = 120
const WEEK_DAYS = 7
/** 1970-01-01 was a Thursday. */
const THURSDAY = 0
const FRIDAY = 1

/** The club's week: a letter on Thursday, the tasting note on Friday evening, the rest in the evenings. */
function momentOf(random: Random, kind: InteractionKind, at: number): number {
  const day = midnight(at)
  const evening = (18 + 5 * random.next()) * HOUR_MS
  const onWeekday = (weekday: number) =>
    day - ((((Math.round(day / DAY_MS) - weekday) % WEEK_DAYS) + WEEK_DAYS) % WEEK_DAYS) * DAY_MS
  if (kind === 'open' || kind === 'click') return onWeekday(THURSDAY) + (10 + 8 * random.next() ** 2) * HOUR_MS
  if (kind === 'check_in') return onWeekday(FRIDAY) + evening
  return day + evening
}

const OF_PRODUCTS: readonly InteractionKind[] = ['view', 'cart', 'question', 'coupon']
const CONTENT: Readonly<Partial<Record<InteractionKind, string>>> = {
  open: 'weekly letter',
  click: 'weekly letter',
  check_in: 'friday tasting note',
  quiz: 'which grape is it',
  share: 'tasting club',
}

/** What somebody did short of buying, and what they said of what they bought. */
export function writeInteractions(files: Files, club: Club, person: Person, purchases: readonly Purchase[]): void {
  const random = Random.of(club.seed + 5, person.number)
  const { calendar } = club
  const { story, joinedAt, silentFrom, ids } = person
  let written = 0
  const known = [ids.externalUserid ?? '', ids.externalUserid ? '' : (ids.openid ?? '')] as const
  const act = (kind: InteractionKind, at: number, item = '', content = CONTENT[kind] ?? '') => {
    if (at < joinedAt || at >= Math.min(calendar.now, silentFrom) || (known[0] === '' && known[1] === '')) return
    written += 1
    files.interactions.row(`I${person.number + 1}-${written}`, ...known, '', kind, item, content, time(at))
  }

  if (story.story === 'lead') {
    files.interactions.row(
      `I${person.number + 1}-1`,
      ...['', ''],
      person.phone,
      'details_left',
      '',
      'wine fair',
      time(joinedAt),
    )
  }
  if (random.chance(0.08)) act('details_left', joinedAt + HOUR_MS, '', 'join page 2')

  const lastBought = purchases.at(-1)?.at
  const isStill = (story.stops ?? 0) < 0.05 || lastBought === undefined
  const until = Math.min(calendar.now, silentFrom, isStill ? calendar.now : lastBought + FADES_DAYS * DAY_MS)
  const months = Math.max(until - joinedAt, 0) / MONTH_MS
  for (const [name, rate] of Object.entries(story.rhythm) as [InteractionKind, Rhythm[InteractionKind]][]) {
    for (let count = random.count((rate ?? 0) * months); count > 0; count -= 1) {
      const at = momentOf(random, name, joinedAt + random.next() * (until - joinedAt))
      act(name, at, OF_PRODUCTS.includes(name) ? random.pick(WINES).item : '')
    }
  }

  for (const { at, lines } of purchases) {
    const [line] = lines
    if (line && random.chance(0.12)) act('view', at - random.next() * 48 * HOUR_MS, line.item)
    if (line && random.chance(0.06)) act('cart', at - random.next() * 3 * HOUR_MS, line.item)
  }
  const silentFor = calendar.winBack - (lastBought ?? calendar.now)
  const isWinBack = story.story === 'came back' || (silentFor > 240 * DAY_MS && random.chance(0.1))
  if (isWinBack) act('coupon', calendar.winBack + random.next() * 20 * HOUR_MS, '', 'win back')
  writeReviews(files, club, person, purchases, random)
}

function writeReviews(
  files: Files,
  { calendar }: Club,
  { story, ids, silentFrom }: Person,
  purchases: readonly Purchase[],
  random: Random,
): void {
  for (const { orderId, at, lines } of purchases) {
    const [line] = lines
    const reviewed = at + random.int(3, 20) * DAY_MS
    if (!line || !ids.shop || !random.chance(story.reviews ?? 0)) continue
    if (reviewed >= Math.min(calendar.now, silentFrom)) continue
    const isGood = random.chance(story.praises ?? 0.5)
    const rating = isGood ? random.int(4, 5) : random.int(1, 3)
    const ticked = random.chance(0.3) ? (isGood ? 'yes' : 'no') : ''
    files.reviews.row(`E${orderId}`, ids.shop, line.item, rating, ticked, time(reviewed))
  }
}
