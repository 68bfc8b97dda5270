import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testDatabase } from '../../test/database.ts'
import { instantsIn } from './zone.ts'

const ZONES = ['Asia/Shanghai', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC']

test('wall-clock times are the instants that PostgreSQL reads, changes of the clock included', async (t) => {
  const { database } = await testDatabase(t)
  // Nights in which some of these zones change their clocks, and any other times.
  const edge = fc.constantFrom(
    '2026-03-08',
    '2026-03-29',
    '2026-10-25',
    '2026-11-01',
    '2026-04-05',
    '2026-10-04',
    '1988-04-17',
  )
  const any = fc.date({ min: new Date('1970-01-01'), max: new Date('2037-01-01'), noInvalidDate: true })
  const day = fc.oneof(
    edge,
    any.map((date) => date.toISOString().slice(0, 10)),
  )
  const clock = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.constantFrom('', '.5', '.123456'))
    .map(
      ([hour, minute, fraction]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}:07${fraction}`,
    )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ZONES),
      fc.array(fc.tuple(day, clock), { minLength: 20, maxLength: 20 }),
      async (zone, given) => {
        const read = instantsIn(zone)
        const locals = given.map(([day, clock]) => `${day} ${clock}`)
        const { rows } = await database.pool.query<{ local: string; same: boolean }>(
          `select l as local, l::timestamp at time zone $1 = i::timestamptz as same from unnest($2::text[], $3::text[]) u (l, i)`,
          [zone, locals, locals.map((local) => read({ local }))],
        )
        assert.deepEqual(
          rows.filter((row) => !row.same).map((row) => `${zone} ${row.local} ${read({ local: row.local })}`),
          [],
        )
      },
    ),
    { numRuns: 60 },
  )
})

test('times with a zone are instants, whatever the file’s zone', () => {
  const read = instantsIn('Europe/Berlin')
  assert.equal(read({ instant: '2026-08-03 10:20:00+08:00' }), '2026-08-03T02:20:00Z')
  assert.equal(read({ instant: '2026-08-03 10:20:00.250000-0330' }), '2026-08-03T13:50:00.25Z')
  assert.equal(read({ instant: '2026-08-03 10:20:00+08' }), '2026-08-03T02:20:00Z')
  assert.equal(read({ instant: '2026-08-03 10:20:00Z' }), '2026-08-03T10:20:00Z')
  assert.throws(() => instantsIn('Asia/Atlantis'), RangeError)
})
