import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { listPeople } from '../modules/analytics/actions.ts'
import type { PeoplePage } from '../modules/analytics/schema.ts'
import { readSettings } from '../modules/brand/actions.ts'
import { findPerson } from '../modules/customers/actions.ts'
import { countSegment, explainDefinition, readSegment } from '../modules/segments/actions.ts'
import {
  type Definition,
  definition as definitionSchema,
  type Explanation,
  type SegmentCount,
} from '../modules/segments/schema.ts'
import type { Database, Sql } from '../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import {
  type Answer,
  AS_OF,
  type Command,
  dayIn,
  instants,
  minuteIn,
  table,
  text,
  UsageError,
  withBrand,
} from './command.ts'

const WAYS = ['count', 'members', 'explain'] as const
const PAGE = 50
const DEFINITION_BYTES_MAX = 1024 * 1024

export const segmentCommand: Command = {
  name: 'segment',
  summary: 'How many people a definition holds for (count), who they are (members), and why somebody (explain).',
  positionals: ['count|members|explain', 'DEFINITION'],
  flags: {
    'as-of': AS_OF,
    sample: { type: 'boolean', help: 'count: from a sample of the people, with an interval' },
    person: { type: 'string', value: 'KEY', help: 'explain: whom' },
    after: { type: 'string', value: 'PLACE', help: 'members: the people behind this place, `next` of the page before' },
  },
  usesBrand: true,
  run: async (input) => {
    const [given, name = ''] = input.positionals
    const way = WAYS.find((known) => known === given)
    if (!way) throw new UsageError(`segment takes ${WAYS.join(', ')}, not "${given}".`)
    const key = text(input.values.person)
    if ((way === 'explain') !== (key !== undefined)) {
      throw new UsageError('segment explain takes --person KEY, and only it does.')
    }
    // Before the installation is opened: that may make a folder and start a server, for nothing.
    const written = /^\d{1,15}$/.test(name) ? Number(name) : await readWritten(name)
    if (isRefusal(written)) return written
    return withBrand(input, async (database) => {
      const { asOf, now } = await instants(database, input)
      const definition = typeof written === 'number' ? await readStored(database.db, written, now) : written
      if (isRefusal(definition)) return definition
      if (way === 'count') {
        const method = input.values.sample === true ? 'sample' : 'exact'
        return answer(await countSegment(database.db, definition, { now, asOf, method }), countText)
      }
      if (way === 'members') return listMembers(database, definition, { now, asOf, after: text(input.values.after) })
      const personId = await findPerson(database.db, key ?? '')
      if (isRefusal(personId)) return personId
      const { zone } = await readSettings(database.db)
      const explained = await explainDefinition(database.db, definition, personId, { now, asOf })
      return answer(explained, (found) => explanationText(found, zone))
    })
  },
}

/** A definition as a file has it, JSON or YAML. */
async function readWritten(path: string): Promise<Definition | Refusal> {
  const remedy = 'docs/definitions.md §12 shows what a definition looks like.'
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    return refuse(
      'missing',
      'no_such_file',
      `${path} cannot be read: ${(error as Error).message}.`,
      'Name another file.',
    )
  }
  if (content.length > DEFINITION_BYTES_MAX) {
    return refuse('over_limit', 'too_large', `${path} is larger than any definition.`, remedy)
  }
  try {
    // JSON is YAML.
    const read = definitionSchema.safeParse(parse(content, { maxAliasCount: 0 }))
    if (read.success) return read.data
  } catch (error) {
    return refuse('invalid', 'bad_definition', `${path}: ${(error as Error).message.split('\n')[0]}`, remedy)
  }
  return refuse('invalid', 'bad_definition', `${path}: is no object with one of all, any, not, or a clause.`, remedy)
}

async function readStored(db: Sql, segmentId: number, now: Date): Promise<Definition | Refusal> {
  const segment = await readSegment(db, segmentId, now)
  return isRefusal(segment) ? segment : segment.definition
}

function answer<T extends object>(found: T | Refusal, toText: (found: T) => string): Answer | Refusal {
  return isRefusal(found) ? found : { json: found, text: toText(found) }
}

async function listMembers(
  database: Database,
  definition: Definition,
  { now, asOf, after }: { now: Date; asOf: Date | undefined; after: string | undefined },
): Promise<Answer | Refusal> {
  const filter = { limit: PAGE, after, as_of: asOf?.toISOString() }
  const { zone } = await readSettings(database.db)
  const written = { definition, method: 'exact' } as const
  return answer(await listPeople(database.db, now, filter, undefined, written), (page) => membersText(page, zone))
}

function countText({ method, people, low, high, of_people: all, sampled }: SegmentCount): string {
  const of = `of ${all.toLocaleString('en-US')}`
  if (method === 'exact') return `${people.toLocaleString('en-US')} people ${of}.\n`
  const interval = `${low.toLocaleString('en-US')} to ${high.toLocaleString('en-US')}`
  return `About ${people.toLocaleString('en-US')} people ${of}: ${interval}, by ${sampled.toLocaleString('en-US')} of them.\n`
}

function membersText({ total, people, next }: PeoplePage, zone: string): string {
  const rows = people.map((person) => [
    person.key,
    person.source,
    person.name ?? '',
    person.depth_key,
    person.last_occasion_at ? dayIn(zone, person.last_occasion_at) : '',
    person.occasions,
  ])
  const more = next ? `\nMore: --after ${next}\n` : ''
  return `${total.toLocaleString('en-US')} people.\n\n${table(['key', 'source', 'name', 'depth', 'last bought', 'occasions'], rows)}${more}`
}

function explanationText({ holds, flips_at: flipsAt, nodes }: Explanation, zone: string): string {
  const rows = nodes.map(({ path, holds: held, observed, fact }) => [
    held ? 'yes' : 'no',
    path,
    observed ? JSON.stringify(observed) : '',
    fact ? [fact.kind, fact.source, fact.external_id].filter((part) => part !== null).join(' ') : '',
  ])
  const turns = flipsAt ? `Time alone changes that on ${minuteIn(zone, flipsAt)}.` : 'Time alone does not change that.'
  return `${holds ? 'It holds.' : 'It does not hold.'} ${turns}\n\n${table(['', 'clause', 'observed', 'by'], rows)}`
}
