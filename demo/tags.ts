import { createGroup, createTag } from '../src/modules/tags/actions.ts'
import { atTerminal } from '../src/platform/audit.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { DAY_MS } from './calendar.ts'
import type { Files } from './files.ts'
import type { Club, Person } from './people.ts'
import { Random } from './random.ts'

const time = (at: number) => new Date(at).toISOString()

/** What the club's advisers write down about people: how likely in each story, and for how sure they take it. */
const TAGS: readonly {
  readonly tag: string
  readonly group: string
  readonly strengths: readonly number[]
  readonly of: Readonly<Record<string, number>>
}[] = [
  {
    tag: '送礼',
    group: '场景',
    strengths: [1],
    of: { 'festival gifts': 0.6, 'came back': 0.2, 'weekend bottle': 0.05 },
  },
  { tag: '宴请', group: '场景', strengths: [1, 0.5], of: { 'good nose': 0.2, 'festival gifts': 0.15 } },
  { tag: '自饮', group: '场景', strengths: [1], of: { 'weekend bottle': 0.3, 'monthly box': 0.4 } },
  { tag: '藏家', group: '身份', strengths: [1], of: { 'tasting club': 0.7, 'good nose': 0.12 } },
  { tag: '企业采购', group: '身份', strengths: [1], of: { 'festival gifts': 0.06 } },
  {
    tag: '偏爱红葡萄酒',
    group: '口味',
    strengths: [1, 0.7],
    of: { 'good nose': 0.3, 'tasting club': 0.4, 'monthly box': 0.15 },
  },
  { tag: '偏爱起泡酒', group: '口味', strengths: [1, 0.7], of: { 'good nose': 0.12, 'tasting club': 0.2 } },
  {
    tag: '价格敏感',
    group: '价格',
    strengths: [1, 0.8, 0.6],
    of: { 'sale days only': 0.7, 'livestream night': 0.3, 'tried once': 0.1, 'card in the parcel': 0.15 },
  },
]
const COMPLAINT = { tag: '投诉', group: '服务' } as const
/** Everybody who bought may complain. */
const COMPLAINS = 0.02
const SETTLED_DAYS_MAX = 30

/** Tags that fade: what somebody looked for last year says less every month, and a complaint is forgotten some day. */
const FADING = [
  { tag: '价格敏感', group: '价格', half_life_days: 180, description: '只在促销时买；半年不再出现就变弱' },
  { tag: COMPLAINT.tag, group: COMPLAINT.group, life_days: 365, description: '有过投诉，先照顾好再推荐' },
] as const

/** Makes the tags that fade before the file names them; those that are there already stay. */
export async function makeTags(database: Database, now: Date): Promise<void> {
  const by = atTerminal('demo')
  for (const { tag, group, ...how } of FADING) {
    const made = await createGroup(database, group, by, now)
    if (!isRefusal(made)) await createTag(database, { name: tag, group_id: made.group_id, ...how }, by, now)
  }
}

/** What advisers wrote down about somebody, from some time after they came. */
export function writeTags(files: Files, club: Club, person: Person): void {
  const random = Random.of(club.seed + 7, person.number)
  const { story, joinedAt, ids } = person
  let written = 0
  const write = (tag: string, group: string, strength: number, at: number, removedAt?: number) => {
    const id = ids.shop ?? ''
    const contact = id === '' ? (ids.externalUserid ?? '') : ''
    if (at >= club.calendar.now || (id === '' && contact === '')) return
    const removed = removedAt === undefined || removedAt >= club.calendar.now ? '' : time(removedAt)
    written += 1
    files.tags.row(`T${person.number + 1}-${written}`, id, contact, tag, group, strength, time(at), removed)
  }
  const later = () => joinedAt + random.next() * (club.calendar.now - joinedAt)
  for (const { tag, group, strengths, of } of TAGS) {
    if (random.chance(of[story.story] ?? 0)) write(tag, group, random.pick(strengths), later())
  }
  if (story.shop && random.chance(COMPLAINS)) {
    const at = later()
    const isSettled = random.chance(0.6)
    write(COMPLAINT.tag, COMPLAINT.group, 1, at, isSettled ? at + random.int(1, SETTLED_DAYS_MAX) * DAY_MS : undefined)
  }
}
