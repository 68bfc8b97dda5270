import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Random } from '../demo/random.ts'

export interface OrderFile {
  readonly people: number
  readonly ordersPerPerson: number
  readonly seed: number
  /** No second order of a person on one day and no refund: what the plain SQL of plain.ts can speak of. */
  readonly simple: boolean
}

/** Orders lie in the three years before it. */
export const BENCH_NOW = new Date('2026-01-01T00:00:00Z')
const YEARS = 3
const SECONDS = YEARS * 365 * 86_400
const DAY_SECONDS = 86_400
const SECOND_LINE_SHARE = 0.2
const REFUND_SHARE = 0.02
const ITEMS = 2000
/** What fill.ts makes by the same measure. */
export const SHAPE = {
  seconds: SECONDS,
  secondLineShare: SECOND_LINE_SHARE,
  refundShare: REFUND_SHARE,
  items: ITEMS,
} as const
const CHUNK_CHARACTERS = 1 << 18
const HEADER = 'order_id,customer_id,paid_at,item,item_name,quantity,unit_price,refund_of\n'

/**
 * Writes the order lines of a made-up brand as CSV: in time order, customers drawn evenly (so the number of orders of
 * a person is Poisson around the mean), 1.2 lines an order, a refund for 2 % of the orders: half of them name the
 * order and give all of it back, a quarter name it and give one line back, a quarter name none.
 * The same options give the same file.
 */
export async function writeOrders(path: string, file: OrderFile): Promise<void> {
  await pipeline(Readable.from(orderLines(file)), createWriteStream(path))
}

function* orderLines(file: OrderFile): Generator<string> {
  const random = new Random(file.seed)
  const orders = file.people * file.ordersPerPerson
  const begin = BENCH_NOW.getTime() / 1000 - SECONDS
  const lastDay = new Int32Array(file.simple ? file.people : 0)
  let text = HEADER
  for (let index = 0; index < orders; index++) {
    const at = begin + Math.floor(((index + random.next()) / orders) * SECONDS)
    // The brand's day begins eight hours before that of UTC.
    const day = Math.floor((at + 8 * 3600) / DAY_SECONDS)
    let person = random.int(0, file.people - 1)
    while (file.simple && lastDay[person] === day) person = random.int(0, file.people - 1)
    if (file.simple) lastDay[person] = day
    const orderId = `${dayText(at).replaceAll('-', '')}${String(index).padStart(8, '0')}`
    const lines = Array.from({ length: random.chance(SECOND_LINE_SHARE) ? 2 : 1 }, () => ({
      item: random.int(1, ITEMS),
      quantity: random.int(1, 3),
      price: random.int(990, 29_900) / 100,
    }))
    const row = (id: string, seconds: number, sign: 1 | -1, line: (typeof lines)[number], of: string) => {
      return `${id},C${person + 1},${timeText(seconds)},SKU${line.item},商品 ${line.item},${sign * line.quantity},${line.price},${of}\n`
    }
    for (const line of lines) text += row(orderId, at, 1, line, '')
    if (!file.simple && random.chance(REFUND_SHARE)) {
      const later = Math.min(at + random.int(1, 30) * DAY_SECONDS, BENCH_NOW.getTime() / 1000)
      const kind = random.int(1, 4)
      for (const line of kind <= 2 ? lines : lines.slice(0, 1)) {
        text += row(`R${orderId}`, later, -1, line, kind <= 3 ? orderId : '')
      }
    }
    if (text.length > CHUNK_CHARACTERS) {
      yield text
      text = ''
    }
  }
  yield text
}

/** One order on `at` for each of `count` people, evenly spread over those that writeOrders made. */
export async function writeFurtherOrders(path: string, people: number, count: number, at: Date): Promise<void> {
  const step = Math.floor(people / count)
  function* lines(): Generator<string> {
    yield HEADER
    for (let index = 0; index < count; index++) {
      yield `F${count}-${index},C${index * step + 1},${timeText(at.getTime() / 1000)},SKU1,商品 1,1,99,\n`
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(path))
}

const dayTexts = new Map<number, string>()

/** Wall clock of the brand's zone, UTC+8 the whole year. */
function timeText(seconds: number): string {
  const second = (seconds + 8 * 3600) % DAY_SECONDS
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${dayText(seconds)} ${two(second / 3600)}:${two((second / 60) % 60)}:${two(second % 60)}`
}

function dayText(seconds: number): string {
  const day = Math.floor((seconds + 8 * 3600) / DAY_SECONDS)
  const known = dayTexts.get(day)
  if (known) return known
  const text = new Date(day * DAY_SECONDS * 1000).toISOString().slice(0, 10)
  dayTexts.set(day, text)
  return text
}
