import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assertBooks, rowsOf } from '../../../test/books.ts'
import { testDatabase } from '../../../test/database.ts'
import {
  beginStory,
  check,
  content,
  documentOf,
  edges,
  feed,
  type Story,
  storyFolder,
  tickingClock,
} from '../../../test/histories.ts'
import { type Event, keepBooks, type Rules, type SalesDocument, versionsInForce } from '../../../test/oracle.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { undoImport } from '../intake/actions.ts'
import { rebuild, refreshStanding } from '../relationship/actions.ts'
import { ORDER_FACTS } from './actions.ts'

// Versions in any order of arrival, repeats, and imports that are undone, held to the naive replay of test/oracle.ts.

const RUNS = 30
const RULES: Rules = {
  zone: 'Asia/Shanghai',
  periodDays: 30,
  occasionUnit: 'day',
  memberByPurchase: true,
  mergeDuplicates: false,
}
const INSTANTS = edges(RULES)
const DOCUMENTS = 4

/** A few contents for each document, so that the same body comes back; a number says which of them a version has. */
const bodies = fc.array(content, { minLength: 3, maxLength: 3 })

const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      versions: fc.array(
        fc.record({
          document: fc.nat({ max: DOCUMENTS - 1 }),
          body: fc.nat({ max: 2 }),
          rank: fc.integer({ min: 1, max: 5 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ undo: fc.nat({ max: 9 }) }) },
)

interface Told {
  readonly contents: readonly (readonly (typeof content extends fc.Arbitrary<infer T> ? T : never)[])[]
  readonly events: readonly (typeof event extends fc.Arbitrary<infer T> ? T : never)[]
  /** all: the source ranks every version; some: it forgets to, now and then. */
  readonly ranks: 'all' | 'some' | 'none'
}

function eventsOf({ contents, events, ranks }: Told): Event[] {
  return events.map((given, number): Event => {
    if (!('versions' in given)) return { undo: given.undo }
    const file = new Map<string, SalesDocument>()
    for (const { document, body, rank } of given.versions) {
      const id = `o${document}`
      // Where versions are ranked, a rank has one body: else the source says two things of one version.
      const which = ranks === 'all' ? rank % 3 : body
      const drawn = contents[document]?.[which]
      if (!drawn || file.has(id)) continue
      const isRanked = ranks === 'all' || (ranks === 'some' && (number + document) % 3 > 0)
      file.set(id, { ...documentOf(id, drawn, INSTANTS), ...(isRanked ? { version: rank } : {}) })
    }
    return { file: [...file.values()] }
  })
}

const told = fc.record({
  contents: fc.array(bodies, { minLength: DOCUMENTS, maxLength: DOCUMENTS }),
  events: fc.array(event, { minLength: 2, maxLength: 8 }),
  ranks: fc.constantFrom('all', 'some', 'none'),
}) as fc.Arbitrary<Told>

/** What comes in, comes in; what is undone, is undone: whatever the events name that is not there is left out. */
async function play(database: Database, folder: string, events: readonly Event[]): Promise<Event[]> {
  const clock = tickingClock()
  const imports: number[] = []
  const played: Event[] = []
  for (const event of events) {
    if ('file' in event) {
      const story: Story = { rules: RULES, connectedBy: 'none', files: [event.file] }
      imports.push(await feed(database, clock, folder, story, 0))
      played.push(event)
    } else {
      const importId = imports[event.undo]
      const undone = importId
        ? await undoImport(database, clock, { importId, by: atTerminal('lead'), kinds: { order: ORDER_FACTS } })
        : undefined
      if (undone && !isRefusal(undone)) {
        const number = [...played.keys()].filter((index) => 'file' in (played[index] ?? {}))[event.undo]
        played.push({ undo: number ?? -1 })
      }
    }
    await refreshStanding(database, clock)
  }
  return played
}

async function standing(database: Database): Promise<unknown> {
  return [
    await rowsOf(database, 'select * from relationship.published_standing order by person_id'),
    await rowsOf(database, 'select * from relationship.published_occasions order by 1, 2, 3, 4'),
  ]
}

test('what is in force is what the versions say, whatever came first, came again or was undone', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  await check(t, told, RUNS, async (given) => {
    await beginStory(database, RULES)
    const played = await play(database, folder, eventsOf(given))
    await assertBooks(database, keepBooks(versionsInForce(played, RULES)))
    const grown = await standing(database)
    await rebuild(database, tickingClock())
    assert.deepEqual(grown, await standing(database))
  })
})

test('with a rank for every version the order of arrival does not matter', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const ranked = told.map((given) => ({ ...given, ranks: 'all' as const }))
  await check(t, fc.tuple(ranked, fc.infiniteStream(fc.double({ noNaN: true }))), RUNS, async ([given, chance]) => {
    const files = eventsOf(given).filter((event) => 'file' in event)
    const highest = new Map<string, SalesDocument>()
    for (const document of files.flatMap(({ file }) => file)) {
      const known = highest.get(document.id)
      if (!known || (document.version ?? 0) > (known.version ?? 0)) highest.set(document.id, document)
    }
    const shuffled = files
      .map((file) => ({ file, at: chance.next().value ?? 0 }))
      .sort((a, b) => a.at - b.at)
      .map(({ file }) => file)
    await beginStory(database, RULES)
    await play(database, folder, [...shuffled, ...shuffled.slice(0, 1)])
    await assertBooks(database, keepBooks([...highest.values()]))
  })
})
