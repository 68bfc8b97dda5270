import { DAY_MS, HOUR_MS, midnight } from './calendar.ts'
import type { Files } from './files.ts'
import { type Club, type Person, sharerOf } from './people.ts'
import { Random } from './random.ts'
import { CUT, type Item, WINES } from './stories.ts'

interface Line {
  readonly item: Item
  readonly name: string
  readonly category: string
  readonly quantity: number
  readonly price: number
}

export interface Purchase {
  readonly orderId: string
  readonly at: number
  readonly lines: readonly Line[]
}

const time = (at: number) => new Date(at).toISOString()

/** When somebody paid, oldest first: their own rhythm, festivals, sale days, the livestream, the win-back. */
function purchaseTimes(club: Club, random: Random, { story, joinedAt, silentFrom }: Person): number[] {
  const { calendar } = club
  const until = Math.min(calendar.now, silentFrom)
  const hour = () => (9 + 13 * random.next()) * HOUR_MS
  const times: number[] = []
  if (story.everyDays) {
    let at = joinedAt + random.next() * 5 * DAY_MS
    while (at < until) {
      times.push(at)
      if (random.chance(story.stops ?? 0)) break
      at = midnight(at + Math.max(1, random.exponential(story.everyDays)) * DAY_MS) + hour()
    }
  }
  if (story.festivals) {
    for (const festival of [...calendar.midAutumns, ...calendar.springFestivals]) {
      if (random.chance(story.festivals)) times.push(festival - random.int(3, 16) * DAY_MS + hour())
    }
  }
  if (story.sales) {
    // From eight in the evening before to the end of the day.
    for (const day of calendar.sales)
      if (random.chance(story.sales)) times.push(day + (28 * random.next() - 4) * HOUR_MS)
  }
  if (story.story === 'livestream night') {
    times.push(Math.max(joinedAt, calendar.livestream) + random.next() * HOUR_MS)
    if (random.chance(0.04)) times.push(calendar.livestream + random.int(20, 300) * DAY_MS)
  }
  if (story.story === 'came back') {
    for (let order = random.int(1, 3); order > 0; order -= 1) times.push(joinedAt + random.next() * 120 * DAY_MS)
    if (random.chance(0.6)) {
      const back = calendar.winBack + random.next() * 14 * DAY_MS
      times.push(back)
      if (random.chance(0.4)) times.push(back + random.int(2, 9) * DAY_MS)
    }
  }
  return times.filter((at) => at >= joinedAt - HOUR_MS && at < until).sort((a, b) => a - b)
}

function linesOf(random: Random, items: readonly Item[], isSale: boolean): Line[] {
  const chosen = new Set(Array.from({ length: random.chance(0.25) ? 2 : 1 }, () => random.pick(items)))
  return [...chosen].flatMap((item) => {
    const wine = WINES.find((other) => other.item === item)
    if (!wine) return []
    const price = Math.round(wine.price * (isSale ? 85 : random.chance(0.2) ? 90 : 100)) / 100
    return [
      { item, name: wine.name, category: wine.category, quantity: random.chance(0.15) ? random.int(2, 6) : 1, price },
    ]
  })
}

/** Orders of one person and their refunds; what was bought, for the reviews of it. */
export function writeOrders(files: Files, club: Club, person: Person): Purchase[] {
  const random = Random.of(club.seed + 3, person.number)
  const { story, ids } = person
  const file = ids.marketplace ? files.marketplace_orders : files.orders
  const customer = ids.marketplace ?? ids.shop ?? ''
  return purchaseTimes(club, random, person).map((at, index) => {
    const orderId = `${person.number + 1}-${index + 1}`
    const isSale = club.calendar.sales.some((day) => Math.abs(at - day) < DAY_MS)
    const lines = linesOf(random, story.items, isSale)
    const sharer = random.chance(story.shared ?? 0) ? (sharerOf(club, random, person.deck) ?? '') : ''
    for (const { item, name, category, quantity, price } of lines) {
      file.row(orderId, customer, time(at), item, name, category, quantity, price, '', sharer)
    }
    writeRefund(file, club, random, { customer, orderId, at, lines })
    return { orderId, at, lines }
  })
}

/** Now and then a bottle is corked or a box comes back; and what was just bought dearer gets the difference back. */
function writeRefund(
  file: Files['orders'],
  { calendar }: Club,
  random: Random,
  { customer, orderId, at, lines }: Purchase & { customer: string },
): void {
  const back = at + random.int(2, 12) * DAY_MS
  const give = (id: string, who: string, when: number, { item, name, category, quantity, price }: Line, of: string) => {
    if (when < calendar.now) file.row(id, who, time(when), item, name, category, -quantity, price, of, '')
  }
  const dear = lines.find(({ item }) => item === CUT.item)
  if (dear && at < calendar.priceCut && at > calendar.priceCut - 15 * DAY_MS) {
    const when = calendar.priceCut + random.next() * 3 * DAY_MS
    if (random.chance(0.15)) for (const line of lines) give(`P${orderId}`, customer, when, line, orderId)
    else give(`P${orderId}`, customer, when, { ...dear, price: CUT.by }, orderId)
    return
  }
  const drawn = random.next()
  const last = lines.at(-1)
  if (!last || drawn > 0.04) return
  if (drawn < 0.018) for (const line of lines) give(`R${orderId}`, customer, back, line, orderId)
  else if (drawn < 0.026) give(`R${orderId}`, customer, back, { ...last, quantity: 1 }, orderId)
  // Without the order's number: the same wine, bought last.
  else if (drawn < 0.034) give(`R${orderId}`, customer, back, { ...last, quantity: 1 }, '')
  // By the counter, which writes down the order and nobody's name.
  else give(`R${orderId}`, '', back, last, orderId)
}

const AT_THE_COUNTER: readonly Item[] = ['W-101', 'W-102', 'W-103', 'G-001']

/** Orders of passers-by: three for every hundred people. */
export function writeCounterOrders(files: Files, club: Club, number: number): void {
  if (number % 33 !== 0) return
  const random = Random.of(club.seed + 4, number)
  const { now, opened } = club.calendar
  const at = now - (now - opened) * random.next() ** 1.3
  const orderId = `D${number + 1}`
  const lines = linesOf(random, AT_THE_COUNTER, false)
  for (const { item, name, category, quantity, price } of lines) {
    files.orders.row(orderId, '', time(at), item, name, category, quantity, price, '', '')
  }
  const [first] = lines
  const back = at + 2 * DAY_MS
  if (!first || back > now || !random.chance(0.1)) return
  // Half of them say which order it was; the others cannot be matched to any.
  const of = random.chance(0.5) ? orderId : ''
  files.orders.row(
    `R${orderId}`,
    '',
    time(back),
    first.item,
    first.name,
    first.category,
    -first.quantity,
    first.price,
    of,
    '',
  )
}
