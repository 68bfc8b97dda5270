import { Random } from './random.ts'

/** A wine club (醇时 Chunshi) of two years: who buys how is told here, what follows from it is the product's to find. */

const WINES = [
  { item: 'W-101', name: '贺兰山东麓 赤霞珠 2021', price: 168 },
  { item: 'W-102', name: '怀来 马瑟兰 2022', price: 138 },
  { item: 'W-103', name: '蓬莱 霞多丽 2023', price: 118 },
  { item: 'W-201', name: '勃艮第 村级 黑皮诺 2020', price: 298 },
  { item: 'W-202', name: '波尔多 上梅多克 2018', price: 258 },
  { item: 'W-203', name: '香槟 特级干型', price: 368 },
  { item: 'W-301', name: '摩泽尔 雷司令 珍藏', price: 188 },
  { item: 'W-302', name: '普里奥拉托 老藤 2019', price: 328 },
  { item: 'S-001', name: '月度品鉴箱(三支)', price: 399 },
  { item: 'G-001', name: '节日礼盒(双支)', price: 498 },
] as const

/** How a member buys: mean days between orders, chance to stop after each, and how many are so. */
const STORIES = [
  { story: 'monthly box', share: 0.16, everyDays: 30, stops: 0.03, items: ['S-001'] },
  { story: 'good nose', share: 0.14, everyDays: 48, stops: 0.06, items: ['W-201', 'W-202', 'W-203', 'W-302'] },
  { story: 'weekend bottle', share: 0.26, everyDays: 75, stops: 0.15, items: ['W-101', 'W-102', 'W-103', 'W-301'] },
  { story: 'festival gifts', share: 0.16, everyDays: 180, stops: 0.12, items: ['G-001'] },
  { story: 'tried once', share: 0.28, everyDays: 300, stops: 0.82, items: ['W-101', 'W-103', 'S-001'] },
] as const

const HEADER = 'order_id,customer_id,paid_at,item,item_name,quantity,unit_price,refund_of\n'
const DAY_MS = 86_400_000
const SPAN_DAYS = 730

export interface DemoFiles {
  /** Orders of the club's own shop: every buyer has an account there. */
  readonly club: string
  /** Orders of its marketplace shop: buyers without any connection, some orders without a buyer. */
  readonly marketplace: string
}

/** Two order files of the same seed and people, ending at `now`. Times are wall-clock time of the brand's zone. */
export function makeWineClub(people: number, now: Date, seed = 20_180_901): DemoFiles {
  const random = new Random(seed)
  const club = [HEADER]
  for (let index = 1; index <= people; index += 1) {
    club.push(...memberLines(random, `M${String(index).padStart(5, '0')}`, now))
  }
  const marketplace = [HEADER]
  for (let index = 1; index <= people / 4; index += 1) {
    const buyer = random.chance(0.15) ? '' : `TM${String(index).padStart(5, '0')}`
    marketplace.push(
      ...orderLines(random, `T${100_000 + index}`, buyer, randomDay(random, now), ['W-101', 'W-103', 'G-001']),
    )
  }
  return { club: club.join(''), marketplace: marketplace.join('') }
}

function memberLines(random: Random, member: string, now: Date): string[] {
  const story = pickStory(random)
  const lines: string[] = []
  let at = randomDay(random, now)
  for (let order = 1; at <= now.getTime(); order += 1) {
    const orderId = `${member.slice(1)}-${String(order).padStart(3, '0')}`
    lines.push(...orderLines(random, orderId, member, at, story.items))
    lines.push(...refundLines(random, orderId, lines, at, now))
    if (random.chance(story.stops)) break
    at += Math.max(1, random.exponential(story.everyDays)) * DAY_MS
  }
  return lines
}

function pickStory(random: Random): (typeof STORIES)[number] {
  let left = random.next()
  for (const story of STORIES) {
    left -= story.share
    if (left < 0) return story
  }
  return STORIES[0]
}

/** Joining is spread over the two years, more of it lately: the club grows. */
function randomDay(random: Random, now: Date): number {
  return now.getTime() - Math.floor(SPAN_DAYS * random.next() ** 1.3) * DAY_MS - random.int(0, 12 * 3600) * 1000
}

function orderLines(random: Random, orderId: string, customer: string, at: number, items: readonly string[]): string[] {
  const count = random.chance(0.3) ? 2 : 1
  const wines = Array.from({ length: count }, () => random.pick(items))
  return [...new Set(wines)].map((item) => {
    const wine = WINES.find((other) => other.item === item) ?? WINES[0]
    const price = random.chance(0.2) ? (wine.price * 0.9).toFixed(2) : wine.price.toFixed(2)
    return line(orderId, customer, at, wine, String(random.chance(0.15) ? random.int(2, 6) : 1), price, '')
  })
}

/** Now and then a bottle is corked or a box comes back: one line of the order, by name of the order. */
function refundLines(random: Random, orderId: string, lines: readonly string[], at: number, now: Date): string[] {
  const back = at + random.int(2, 12) * DAY_MS
  if (!random.chance(0.04) || back > now.getTime()) return []
  const bought = lines.at(-1)?.trimEnd().split(',') ?? []
  const [, customer = '', , item = '', name = '', quantity = '1', price = '0'] = bought
  return [line(`R-${orderId}`, customer, back, { item, name }, `-${quantity}`, price, orderId)]
}

function line(
  orderId: string,
  customer: string,
  at: number,
  wine: { item: string; name: string },
  quantity: string,
  price: string,
  refundOf: string,
): string {
  return `${[orderId, customer, new Date(at).toISOString(), wine.item, wine.name, quantity, price, refundOf].join(',')}\n`
}
