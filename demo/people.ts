import { type Calendar, DAY_MS, HOUR_MS, midnight } from './calendar.ts'
import type { Files } from './files.ts'
import { Random } from './random.ts'
import { ADVISERS, nameOf, STORIES, type Story } from './stories.ts'

/** What everything is made from: the same club is the same files. */
export interface Club {
  readonly seed: number
  /** How many people there are; each is made from its number alone, so none has to be kept in memory. */
  readonly people: number
  readonly calendar: Calendar
}

export interface Person {
  readonly number: number
  readonly story: Story
  /** Which deck dealt them, and which card of their story they are in it. */
  readonly deck: number
  readonly card: number
  readonly joinedAt: number
  readonly channel: string
  readonly staff: string | undefined
  /** They deleted us, or were lost with their adviser. */
  readonly leftAt: number | undefined
  /** Handed over to another adviser then. */
  readonly handedOverAt: number | undefined
  /** From then on they do nothing; the far future where nothing silenced them. */
  readonly silentFrom: number
  readonly phone: string
  readonly ids: {
    readonly shop: string | undefined
    readonly marketplace: string | undefined
    readonly externalUserid: string | undefined
    readonly openid: string | undefined
    readonly unionid: string
  }
}

const DECK = STORIES.flatMap((story) => Array.from({ length: story.cards }, (_, card) => ({ story, card })))
/** Deals the stories mixed: 77 and 200 have no common divisor. */
const STEP = 77
const cardAt = (number: number) => DECK[(number * STEP) % DECK.length]

/** Where in a deck the cards of a story lie. */
function placesOf(name: string): number[] {
  return DECK.flatMap((_, place) => (cardAt(place)?.story.story === name ? [place] : []))
}
const TASTING_CLUB = placesOf('tasting club')
const TELLERS = placesOf('tells everybody')

/** Whose channel has no adviser: an account that one follows. */
const ACCOUNT = 'official_account'
const SUCCESSOR = 'lin.yue'
const PREFIXES = ['138', '139', '150', '186', '187', '159', '177', '198', '135', '181']

export function personOf(club: Club, number: number): Person {
  const random = Random.of(club.seed, number)
  const dealt = cardAt(number)
  if (!dealt) throw new RangeError(`No card for person ${number}`)
  const { story, card } = dealt
  const { calendar } = club
  const joinedAt = Math.min(joined(random, story, calendar), calendar.now - HOUR_MS)
  const channel = random.pick(story.channels)
  const staff = channel === '' || channel === ACCOUNT ? undefined : adviserOf(random, joinedAt, calendar)
  const left = leaving(random, story, joinedAt, staff, calendar)
  const id = String(number + 1).padStart(6, '0')
  return {
    number,
    story,
    deck: Math.floor(number / DECK.length),
    card,
    joinedAt,
    channel,
    staff,
    ...left,
    // A few share the phone of who came before them: a family, or a phone that was given away.
    phone: phoneOf(number % 251 === 17 ? number - 1 : number),
    ids: {
      shop: story.shop === 'shop' || (story.enrols > 0 && !story.shop) ? `M${id}` : undefined,
      marketplace: story.shop === 'marketplace' ? `T${id}` : undefined,
      externalUserid: staff ? `wmChunshi${id}` : undefined,
      openid: channel === ACCOUNT || (channel !== '' && random.chance(0.22)) ? `oMini${id}` : undefined,
      unionid: `oUnion${id}`,
    },
  }
}

function joined(random: Random, { joins }: Story, { now, opened, livestream }: Calendar): number {
  const hours = (9 + 13 * random.next()) * HOUR_MS
  const onDay = (at: number) => midnight(at) + hours
  switch (joins) {
    case 'first':
      return onDay(opened + 90 * DAY_MS * random.next())
    case 'livestream':
      return livestream + (random.next() * 2.5 - 0.5) * HOUR_MS
    case 'lately':
      return onDay(now - 300 * DAY_MS * random.next() ** 1.5)
    case 'long ago':
      return onDay(opened + 300 * DAY_MS * random.next())
    case 'steadily':
      // More of it lately: the club grows.
      return onDay(now - (now - opened) * random.next() ** 1.3)
  }
}

function adviserOf(random: Random, joinedAt: number, { adviserLeft }: Calendar): string {
  let left = random.next()
  for (const { staff, share, hasLeft } of ADVISERS) {
    left -= share
    if (left < 0 && !(hasLeft && joinedAt >= adviserLeft)) return staff
  }
  return SUCCESSOR
}

/** Whether and when the connection ended: with an adviser who left, or because they deleted us. */
function leaving(
  random: Random,
  story: Story,
  joinedAt: number,
  staff: string | undefined,
  { now, adviserLeft }: Calendar,
): Pick<Person, 'leftAt' | 'handedOverAt' | 'silentFrom'> {
  const never = Number.POSITIVE_INFINITY
  if (ADVISERS.some((adviser) => adviser.staff === staff && adviser.hasLeft)) {
    const at = adviserLeft + random.next() * 6 * DAY_MS
    const silentFrom = random.chance(0.88) ? adviserLeft : never
    // Nobody asked the others whether they wanted somebody new.
    return random.chance(0.4)
      ? { leftAt: at, handedOverAt: undefined, silentFrom: adviserLeft }
      : { leftAt: undefined, handedOverAt: at, silentFrom }
  }
  const at = joinedAt + random.exponential(120) * DAY_MS
  const leftAt = random.chance(story.leaves) && at < now ? at : undefined
  return { leftAt, handedOverAt: undefined, silentFrom: leftAt ?? never }
}

function phoneOf(number: number): string {
  return `${PREFIXES[number % PREFIXES.length]}${String((number * 7919 + 20_180_901) % 100_000_000).padStart(8, '0')}`
}

/** Somebody of the tasting club, who has shared something: they were there from the first months on. */
export function sharerOf(club: Club, random: Random, deck: number): string | undefined {
  const number = random.int(0, deck) * DECK.length + random.pick(TASTING_CLUB)
  return number < club.people ? personOf(club, number).ids.shop : undefined
}

/** Who brought somebody: a customer who had been there for a week. */
export function referrerOf(club: Club, random: Random, { number, joinedAt }: Person): Person | undefined {
  for (let tries = 0; tries < 8 && number > 0; tries += 1) {
    const other = personOf(club, random.int(0, number - 1))
    if (other.story.shop === 'shop' && other.joinedAt + 7 * DAY_MS < joinedAt) return other
  }
  return undefined
}

/** Who brings many: one of those who tell everybody, who had been there for a week. */
export function tellerOf(club: Club, random: Random, { deck, joinedAt }: Person): Person | undefined {
  const number = random.int(0, deck) * DECK.length + random.pick(TELLERS)
  const teller = number < club.people ? personOf(club, number) : undefined
  return teller && teller.joinedAt + 7 * DAY_MS < joinedAt ? teller : undefined
}

/** The person with this place in the deck of another: whom made-up referrals name. */
export function inDeck(club: Club, deck: number, story: string, card: number): Person | undefined {
  const place = placesOf(story).find((one) => cardAt(one)?.card === card)
  const number = place === undefined ? Number.NaN : deck * DECK.length + place
  return number < club.people ? personOf(club, number) : undefined
}

const time = (at: number) => new Date(at).toISOString()
const masked = (phone: string) => `${phone.slice(0, 3)}****${phone.slice(-4)}`

/** What each system knows of somebody: rows of people files, whose identities merge by unionid and phone, where they do. */
export function writeRecords(files: Files, club: Club, person: Person): void {
  const random = Random.of(club.seed + 1, person.number)
  const { ids, phone, joinedAt, story } = person
  const name = nameOf((list) => random.pick(list), random.chance(0.6))
  const seen = time(Math.max(joinedAt, club.calendar.now - random.exponential(60) * DAY_MS))
  if (ids.shop) files.shop_people.row(`S-${ids.shop}`, ids.shop, phone, name, seen)
  if (ids.marketplace && person.staff) files.parcel_people.row(ids.marketplace, phone, name, seen)
  if (ids.externalUserid) {
    // What an adviser wrote down beside the contact; without it, and without the mini-program, they are two people.
    const noted = random.next()
    const written = noted < 0.9 ? phone : noted < 0.95 ? masked(phone) : ''
    files.wecom_people.row(ids.externalUserid, ids.unionid, written, name, seen)
  }
  if (ids.openid) files.mini_program_people.row(ids.openid, ids.unionid, random.chance(0.93) ? phone : '', name, seen)
  if (story.story === 'lead') files.shop_people.row(`L-${person.number + 1}`, '', phone, name, seen)
}

/** Connections, memberships, consents: how somebody can be reached, and what they allowed. */
export function writeRelations(files: Files, club: Club, person: Person): void {
  const random = Random.of(club.seed + 2, person.number)
  const { now } = club.calendar
  const { number, ids, story, channel, joinedAt, leftAt, handedOverAt } = person
  const known = [ids.externalUserid ?? '', ids.externalUserid ? '' : (ids.openid ?? '')] as const
  if (channel !== '') {
    const ended = leftAt ?? handedOverAt
    files.connections.row(
      `K${number + 1}`,
      ...known,
      channel,
      person.staff ?? '',
      time(joinedAt),
      ended ? time(ended) : '',
    )
    if (handedOverAt) files.connections.row(`K${number + 1}-2`, ...known, channel, SUCCESSOR, time(handedOverAt), '')
    const returned = leftAt && leftAt + random.exponential(60) * DAY_MS
    if (returned && returned < now && random.chance(0.12)) {
      files.connections.row(`K${number + 1}-3`, ...known, channel, SUCCESSOR, time(returned), '')
    }
    if (random.chance(0.85)) {
      files.consents.row(`A${number + 1}`, ...known, 'marketing', 'wecom', 'granted', time(joinedAt), 'join page 2')
      const withdrawn = joinedAt + random.exponential(200) * DAY_MS
      if (random.chance(0.06) && withdrawn < now) {
        files.consents.row(`A${number + 1}-2`, ...known, 'marketing', 'wecom', 'withdrawn', time(withdrawn), '')
      }
    }
  }
  if (random.chance(story.enrols)) {
    const enrolled = Math.min(joinedAt + random.exponential(10) * DAY_MS, now)
    const ended = random.chance(story.yearCard ?? 0) ? time(enrolled + 365 * DAY_MS) : ''
    files.memberships.row(`V${number + 1}`, ids.shop ?? '', ids.shop ? '' : known[0], time(enrolled), ended)
    if (random.chance(0.5)) {
      files.consents.row(`B${number + 1}`, ...known, 'marketing', 'sms', 'granted', time(enrolled), 'member form 3')
    }
  }
}
