import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { calendarOf } from './calendar.ts'
import { writeInteractions } from './interactions.ts'
import { writeCounterOrders, writeOrders } from './orders.ts'
import { type Club, personOf, writeRecords, writeRelations } from './people.ts'
import { writeReferrals } from './referrals.ts'
import { writeTags } from './tags.ts'

/** Every file of the club with its columns, in the order in which they are imported: who is one person comes first. */
const COLUMNS = {
  shop_people: 'record_id,own_id,phone,name,seen_at',
  parcel_people: 'own_id,phone,name,seen_at',
  wecom_people: 'external_userid,unionid,phone,name,seen_at',
  mini_program_people: 'openid,unionid,phone,name,seen_at',
  connections: 'external_id,external_userid,openid,channel,staff,begun_at,ended_at',
  memberships: 'external_id,own_id,external_userid,enrolled_at,ended_at',
  orders: 'order_id,customer_id,paid_at,item,item_name,category,quantity,unit_price,refund_of,shared_by',
  marketplace_orders: 'order_id,customer_id,paid_at,item,item_name,category,quantity,unit_price,refund_of,shared_by',
  interactions: 'external_id,external_userid,openid,phone,type,item,content,occurred_at',
  reviews: 'external_id,own_id,item,rating,is_recommended,occurred_at',
  consents: 'external_id,external_userid,openid,purpose,channel,state,occurred_at,evidence',
  referral_claims:
    'external_id,referrer_own_id,referrer_external_userid,referrer_phone,invitee_external_userid,invitee_phone,occurred_at,campaign',
  tags: 'external_id,own_id,external_userid,tag,group,strength,occurred_at,removed_at',
} as const

export type FileName = keyof typeof COLUMNS
export const FILE_NAMES = Object.keys(COLUMNS) as FileName[]

/** A CSV that is being written. No value of the club has a comma or a quote in it. */
interface Sheet {
  row(...values: readonly (string | number)[]): void
}
export type Files = Readonly<Record<FileName, Sheet>>

/** Characters held back before they go to disk: memory stays the same for a thousand people and for a million. */
const HELD_CHARACTERS_MAX = 1 << 20

/**
 * Writes the club's files into a folder, `orders.csv` and so on: the same seed, people and `now` give the same bytes.
 * Times are instants; everything lies before `now`, but for cards that run out after it.
 *
 * @returns the path of each.
 */
export async function writeClub(
  folder: string,
  { people, now, seed = 20_180_901 }: { readonly people: number; readonly now: Date; readonly seed?: number },
): Promise<Record<FileName, string>> {
  const club: Club = { seed, people, calendar: calendarOf(now) }
  const paths = Object.fromEntries(FILE_NAMES.map((name) => [name, join(folder, `${name}.csv`)])) as Record<
    FileName,
    string
  >
  const handles = new Map<FileName, FileHandle>()
  const held = new Map<FileName, string>()
  let heldCharacters = 0
  const sheetOf = (name: FileName): Sheet => ({
    row: (...values) => {
      const line = `${values.join(',')}\n`
      held.set(name, (held.get(name) ?? '') + line)
      heldCharacters += line.length
    },
  })
  const files = Object.fromEntries(FILE_NAMES.map((name) => [name, sheetOf(name)])) as Files
  const flush = async () => {
    for (const [name, text] of held) await handles.get(name)?.write(text)
    held.clear()
    heldCharacters = 0
  }
  try {
    for (const name of FILE_NAMES) {
      handles.set(name, await open(paths[name], 'w'))
      held.set(name, `${COLUMNS[name]}\n`)
    }
    for (let number = 0; number < people; number += 1) {
      writePerson(files, club, number)
      if (heldCharacters > HELD_CHARACTERS_MAX) await flush()
    }
    await flush()
  } finally {
    for (const handle of handles.values()) await handle.close()
  }
  return paths
}

function writePerson(files: Files, club: Club, number: number): void {
  const person = personOf(club, number)
  writeRecords(files, club, person)
  writeRelations(files, club, person)
  writeInteractions(files, club, person, writeOrders(files, club, person))
  writeReferrals(files, club, person)
  writeTags(files, club, person)
  writeCounterOrders(files, club, number)
}
