import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { z } from 'zod'
import { brief, peoplePage, person } from '../src/modules/analytics/schema.ts'
import { settingsAnswer } from '../src/modules/brand/schema.ts'
import { API_SCOPES, importReport, mapping } from '../src/modules/intake/schema.ts'
import {
  depthReport,
  flowPage,
  migrationReport,
  personMigration,
  rfmReport,
} from '../src/modules/relationship/schema.ts'
import { explanation, segmentCount } from '../src/modules/segments/schema.ts'
import { runReport } from '../src/modules/value/schema.ts'
import { type Home, makeHome, type Output } from './product.ts'
import { root } from './server.ts'

// The real ./perennial, as docs/guide describes it. PostgreSQL is started and stopped by the commands themselves.

const count = z.number().int()
const score = count.min(1).max(5)

const share = z.number().min(0).max(1)

const guess = z.object({
  mapping,
  confidence: share,
  columns: z.array(
    z.object({ field: z.string(), column: z.string(), confidence: share, evidence: z.array(z.string()) }),
  ),
})
const imported = importReport.extend({ brand: z.string().nullable(), guess: guess.nullable() })
const reviewed = z.object({
  values: z.array(
    z.object({
      identity_id: count,
      kind: z.enum(['phone', 'email']),
      value: z.string(),
      unionids: count,
      accounts: count,
      withdrawn_at: z.iso.datetime(),
      people: z.array(count),
    }),
  ),
})
const decided = z.object({ claim_id: count })
const scopes = z.array(z.enum(API_SCOPES)).min(1)
const madeKey = z.object({
  key_id: count,
  name: z.string(),
  scopes,
  key: z.string().regex(/^pk_[a-z][a-z0-9_]*_[A-Za-z0-9]{32}$/),
  brand: z.string(),
})
const apiKey = z.object({
  key_id: count,
  name: z.string(),
  scopes,
  created_at: z.iso.datetime(),
  last_used_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  created_by: z.string().nullable(),
})
const apiKeys = z.object({ api_keys: z.array(apiKey) })
const madeWebhook = z.object({
  webhook_id: count,
  source: z.string(),
  secret: z.string().startsWith('whsec_'),
  brand: z.string(),
  url: z.url(),
})
const revokedWebhook = z.object({ webhook_id: count, source: z.string() })
const listedImports = z.object({
  imports: z.array(
    z.object({
      import_id: count,
      file_name: z.string(),
      mapping_name: z.string(),
      source: z.string(),
      finished_at: z.iso.datetime(),
      rows_in: count,
      rows_stored: count,
      rows_merged: count,
      rows_rejected: count,
      undone_at: z.iso.datetime().nullable(),
      undone_by: z.string().nullable(),
    }),
  ),
})
const undone = z.object({ import_id: count, facts_retracted: count, facts_restored: count })
const tables = z.record(z.string(), z.array(z.looseObject({})))
const exported = z.object({
  person_id: count,
  customers: tables,
  interactions: tables,
  commerce: tables,
  relationship: tables,
  segments: tables,
  value: tables,
})
const erased = z.object({ erasure_id: count, identities: count, facts: count, rejected_rows: count })
const rebuilt = z.object({ people: count, seconds: z.number() })
const databases = z.array(
  z.object({ brand: z.string().nullable(), name: z.string().nullable(), tables: count, rows: count }),
)
const backedUp = z.object({
  file: z.string(),
  bytes: count,
  taken_at: z.iso.datetime(),
  databases,
  seconds: z.number(),
})
const restored = z.object({ taken_at: z.iso.datetime(), program: z.string(), databases, seconds: z.number() })
const examined = z.object({
  home: z.string(),
  node: z.string(),
  database: z.object({
    kind: z.enum(['embedded', 'external']),
    state: z.enum(['absent', 'stopped', 'running', 'crashed', 'unreachable']),
    location: z.string().nullable(),
    major: z.string().nullable(),
    port: count.nullable(),
    settings: z.record(z.string(), z.string()),
  }),
  brands: z.array(
    z.object({
      key: z.string(),
      name: z.string(),
      is_demo: z.boolean(),
      is_current: z.boolean(),
      pending_people: count.nullable(),
      oldest_pending_seconds: z.number().nullable(),
    }),
  ),
  problems: z.array(z.string()),
  orphans: z.array(z.string()),
  databases_left_over: z.array(z.object({ name: z.string(), bytes: count, is_used: z.boolean() })),
  databases_removed: z.array(z.string()),
})
const scoredFile = z.object({
  as_of: z.string(),
  ties: z.enum(['group', 'first']),
  recency_unit: z.enum(['day', '24h']),
  occasion_unit: z.enum(['day', 'order']),
  rows_in: count,
  rows_after_as_of: count,
  rows_rejected: count,
  rejected: z.array(z.object({ line: count, reason: z.string() })),
  buyers: count,
  cuts: z.object({
    recency_days: z.array(z.number()),
    frequency: z.array(z.number()),
    monetary: z.array(z.number()),
  }),
  segments: z.array(
    z.object({
      segment: z.string(),
      buyers: count,
      mean_recency_days: z.number().nullable(),
      mean_frequency: z.number().nullable(),
      mean_monetary: z.number().nullable(),
    }),
  ),
  value_groups: z.array(z.object({ group: z.string(), buyers: count })),
  customers: z.array(
    z.object({
      customer: z.string(),
      recency_days: count,
      frequency: count,
      monetary: z.number(),
      r: score,
      f: score,
      m: score,
      segment: z.string(),
      value_group: z.string(),
    }),
  ),
})
const figure = z.number().nullable()
const parameters = z.record(z.string(), z.number())
const reason = { fallback: z.string().nullable(), fallback_reason: z.string().nullable() }
const fittedModel = {
  model: z.string(),
  ...reason,
  parameters,
  log_likelihood: figure,
  standard_errors: z.record(z.string(), figure),
}
const valuedFile = z.object({
  model_asked: z.string(),
  unit: z.enum(['day', 'week']),
  until: z.string().nullable(),
  horizon: z.number(),
  step_length: z.number(),
  margin_rate: z.number(),
  discount_per_step: z.number(),
  discount_per_unit: z.number(),
  rows_in: count,
  rows_after_until: count,
  rows_rejected: count,
  rejected: z.array(z.object({ line: count, reason: z.string() })),
  people: count,
  repeaters: count,
  ...fittedModel,
  tried: z.array(z.object({ model: z.string(), parameters, log_likelihood: figure, is_converged: z.boolean() })),
  spend: z.object({ ...fittedModel, people: count, correlation: figure }),
  calibration_split: z.string().nullable(),
  calibration_from: z.iso.date().nullable(),
  calibration_to: z.iso.date().nullable(),
  calibration: z.array(z.object({ frequency: count, people: count, actual: z.number(), expected: z.number() })),
  tracking: z.array(z.object({ week: count, actual: count, expected: z.number() })),
  new_customer: z.object({ expected_purchases: z.number(), probabilities: z.array(z.number()).nullable() }),
  total: z.object({ clv: z.number(), low: z.number(), high: z.number() }),
  customers: z.array(
    z.object({
      customer: z.string(),
      x: count,
      t_x: z.number(),
      T: z.number(),
      mean_spend: z.number(),
      p_alive: figure,
      expected_purchases: figure,
      expected_spend: figure,
      dert: figure,
      clv: figure,
      clv_low: figure,
      clv_high: figure,
    }),
  ),
})
const propagated = z.object({
  beta: share,
  decimals: count,
  rows_rejected: count,
  rejected: z.array(z.object({ file: z.enum(['edges', 'values']), line: count, reason: z.string() })),
  edges_used: count,
  edges_refused: z.array(
    z.object({
      line: count,
      referrer: z.string(),
      invitee: z.string(),
      reason: z.enum(['self', 'later_claim', 'cycle']),
    }),
  ),
  total_own: z.number(),
  total_allocated: z.number(),
  people: z.array(
    z.object({
      person: z.string(),
      own: z.number(),
      allocated: z.number(),
      influenced: z.number(),
      depth: count,
    }),
  ),
})
const madeDemo = z.object({
  brand: z.string(),
  people: count,
  seconds: z.number(),
  files: z.array(
    z.object({ file_name: z.string(), kind: z.string(), source: z.string(), rows_in: count, rows_rejected: count }),
  ),
})
const ruledTag = z.object({
  tag_id: count,
  name: z.string(),
  group_id: count.nullable(),
  group: z.string().nullable(),
  description: z.string().nullable(),
  life_days: count.nullable(),
  half_life_days: count.nullable(),
  rule_segment: z.string().nullable(),
  rule_segment_id: count.nullable(),
  archived_at: z.iso.datetime().nullable(),
})
const listedTags = z.object({
  as_of: z.iso.datetime(),
  groups: z.array(z.object({ group_id: count, name: z.string(), tags: count })),
  tags: z.array(ruledTag.extend({ people: count })),
})
const tagEdited = z.object({
  edit_id: count,
  tag_id: count,
  verb: z.enum(['give', 'take']),
  asked: count,
  changed: count,
  unchanged: count,
  kept_by_rule: count,
})
const tagUndone = z.object({ edit_id: count, restored: count, left_alone: count })
const used = z.object({ brand: z.string(), name: z.string() })
const link = z.object({ url: z.url(), valid_minutes: count })
const refused = z.object({
  error: z.object({
    code: z.string(),
    kind: z.enum(['invalid', 'forbidden', 'missing', 'conflict', 'over_limit']),
    message: z.string(),
    remedy: z.string(),
  }),
})

const user = z.object({
  user_id: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.string(),
  staff_id: z.string().nullable(),
  ends_at: z.iso.datetime().nullable(),
  created_at: z.iso.datetime(),
  disabled_at: z.iso.datetime().nullable(),
  sessions: z.number().int(),
})
const invited = z.object({
  invitation_id: z.number().int(),
  email: z.string(),
  role: z.string(),
  expires_at: z.iso.datetime(),
  url: z.string(),
})
const listedUsers = z.object({
  users: z.array(user),
  invitations: z.array(invited.omit({ url: true }).extend({ name: z.string() })),
})

/** What each command answers with --json. */
const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  import: imported,
  imports: listedImports,
  undo: undone,
  brief,
  person,
  depth: depthReport,
  rfm: rfmReport,
  'rfm-file': scoredFile,
  clv: valuedFile,
  propagate: propagated,
  segment: segmentCount,
  'value-run': runReport,
  settings: settingsAnswer,
  review: reviewed,
  merge: decided,
  split: decided,
  withdraw: decided,
  tags: listedTags,
  'tag-give': tagEdited,
  'tag-take': tagEdited,
  'tag-rule': ruledTag,
  'tag-undo': tagUndone,
  export: exported,
  erase: erased,
  'api-key-create': madeKey,
  'api-key-list': apiKeys,
  'api-key-revoke': apiKey,
  'webhook-create': madeWebhook,
  'webhook-revoke': revokedWebhook,
  users: listedUsers,
  'user-invite': invited,
  'user-disable': user,
  'user-enable': user,
  use: used,
  demo: madeDemo,
  rebuild: rebuilt,
  backup: backedUp,
  restore: restored,
  doctor: examined,
  'sign-in': link,
}

const ORDERS = `order_id,customer_id,paid_at,item,quantity,unit_price,refund_of
1001,C7,2026-03-03 10:20,tea-01,2,68.00,
1001,C7,2026-03-03 10:20,cup-02,1,45.50,
1002,C8,2026-04-12 19:05,tea-01,1,68.00,
1003,,2026-04-13 11:00,cup-02,3,45.50,
1004,C7,2026-05-20 09:15,tea-03,1,128.00,
R1001,C7,2026-03-09 15:00,cup-02,-1,45.50,1001
1005,C9,20 May,tea-01,1,68.00,
`
const OTHER_ORDERS = 'order_id,customer_id,paid_at,item,amount\nB1,C1,2026-05-01 09:00,tea,10.00\n'
/** C7 and C8 share a phone and have two unionids; nothing here says what the columns mean but their names. */
const MEMBERS = `member_id,unionid,phone,name
C7,oUn-7,138 0013 8017,Lin
C8,oUn-8,13800138017,Wei
C9,,138****0000,Bo
`
const EDGES = 'referrer,invitee,at\nA,B,2026-01-05\nB,C,2026-02-01\nB,D,2026-02-03\nC,B,2026-03-01\nC,A,2026-03-02\n'
const VALUES = 'person,value\nA,10\nB,5\nC,100\nD,-1\nE,x\n'
const UNSURE = 'Order No,When,Sum\nX1,01/02/2026,10.00\nX2,03/04/2026,12.50\n'
const PAYMENTS =
  'customer,date,amount\nA,2026-01-05,10\nA,2026-02-05 12:00,30.5\nB,2026-02-01,20\n,2026-02-01,20\nC,2027-01-01,5\n'

suite('the command line', () => {
  let home: Home
  const file = (name: string) => join(home.folder, name)
  const cli = (...args: string[]) => home.cli(args)

  before(async (t) => {
    home = await makeHome(t)
    await writeFile(file('orders.csv'), ORDERS)
    await writeFile(file('other.csv'), OTHER_ORDERS)
    await writeFile(file('members.csv'), MEMBERS)
    await writeFile(file('unsure.csv'), UNSURE)
    await writeFile(file('payments.csv'), PAYMENTS)
    await writeFile(file('edges.csv'), EDGES)
    await writeFile(file('values.csv'), VALUES)
  })
  after(() => home?.remove())

  test('explains itself, and says how it was called wrongly, without making anything', async () => {
    const overview = await cli('--help')
    assert.equal(overview.code, 0)
    const names = [...overview.stdout.matchAll(/^ {2}([\w-]+) {2,}\S/gm)].map(([, name = '']) => name)
    assert.deepEqual(names, Object.keys(ANSWERS))

    const guide = await readGuide('en')
    const helps = await home.manyInOne(names.map((name) => [name, '--help']))
    assert.equal(helps.length, names.length)
    names.forEach((name, index) => {
      const help = helps[index] ?? { code: -1, stdout: '' }
      assert.equal(help.code, 0, name)
      assert.match(help.stdout, new RegExp(`^Usage: ./perennial ${name} `))
      const flags = [...help.stdout.matchAll(/^ {2}--([\w-]+)/gm)].map(([, flag = '']) => flag)
      const common = ['help', 'json', 'brand', 'as-of']
      const said = guide.sections.get(name)?.text ?? ''
      const unsaid = flags.filter((flag) => !common.includes(flag) && !said.includes(`\`--${flag}`))
      assert.deepEqual(unsaid, [], `flags of ${name} that the guide leaves out`)
    })

    const wrong = [
      [],
      ['frobnicate'],
      ['brief', '--frob'],
      ['import'],
      ['depth', 'C7'],
      ['merge', 'C7'],
      ['withdraw', 'C7'],
      ['withdraw', ''],
      ['undo', 'C7'],
      ['tag-give', 'VIP'],
      ['tag-give', 'VIP', 'C7', '--strength', '2'],
      ['tag-rule', 'VIP'],
      ['tag-rule', 'VIP', '--segment', '3', '--none'],
      ['tag-rule', 'VIP', '--segment', 'buyers'],
      ['tag-undo', 'VIP'],
      ['api-key-create', 'till'],
      ['api-key-create', 'till', '--scope', 'everything'],
      ['api-key-revoke', 'one'],
      ['webhook-revoke', 'my-shop'],
      ['user-invite', 'Mei', 'mei@example.com'],
      ['user-invite', 'Mei', 'mei@example.com', '--role', 'boss'],
      ['rfm-file', file('payments.csv')],
      ['clv', file('payments.csv'), '--model', 'bg-nbd'],
      ['propagate', file('edges.csv')],
      ['propagate', file('edges.csv'), file('values.csv'), '--beta', '2'],
      ['demo', '--people', '20'],
      ['segment', 'guess', file('orders.csv')],
      ['segment', 'explain', file('orders.csv')],
      ['segment', 'count', file('orders.csv'), '--person', 'C7'],
      ['depth', '--flow', '3:4'],
      ['depth', '--from', '2026-01-01', '--after', 'x'],
    ]
    const refusals = await home.manyInOne(wrong)
    assert.equal(refusals.length, wrong.length)
    refusals.forEach((said, index) => {
      const args = wrong[index] ?? []
      assert.equal(said.code, 2, args.join(' '))
      assert.equal(said.stdout === '', args.length > 0, 'an explanation is no answer')
    })
    const alone = await cli('frobnicate')
    assert.deepEqual([alone.code, alone.stdout, alone.stderr], [2, '', refusals[1]?.stderr])
    assert.equal(existsSync(file('postgres')), false)
  })

  test('clv and propagate need no data folder and make none', async () => {
    const absent = file('absent')
    const plain = (...args: string[]) => home.cli([...args, '--json'], { PERENNIAL_HOME: absent })
    const [valued, spread, missing] = await inPairs(
      [
        [
          'clv',
          file('payments.csv'),
          '--model',
          'bg-nbd',
          '--unit',
          'day',
          '--until',
          '2026-03-01',
          '--horizon',
          '365',
        ],
        ['propagate', file('edges.csv'), file('values.csv')],
        ['propagate', file('edges.csv'), file('payments.csv')],
      ],
      (args) => plain(...args),
    )
    assert.equal(valued?.code, 3, valued?.stderr)
    const value = answerOf(valued, valuedFile)
    assert.deepEqual(
      [value.rows_in, value.people, value.model, value.fallback],
      [5, 2, 'historic-rate', 'few_repeaters'],
    )
    assert.equal(spread?.code, 3, spread?.stderr)
    const { people, edges_used, edges_refused, total_own, total_allocated } = answerOf(spread, propagated)
    assert.deepEqual([edges_used, total_own, total_allocated], [3, 114, 114])
    assert.deepEqual(
      edges_refused.map(({ line, reason: refusal }) => [line, refusal]),
      [
        [5, 'later_claim'],
        [6, 'cycle'],
      ],
    )
    assert.deepEqual(
      people.map(({ person: who, allocated, influenced }) => [who, allocated, influenced]),
      [
        ['A', 14.96, 104],
        ['B', 19.84, 99],
        ['C', 80, 0],
        ['D', -0.8, 0],
      ],
    )
    assert.equal(answerOf(missing, refused).error.code, 'wrong_columns')
    assert.equal(existsSync(absent), false)
  })

  test('rfm-file needs no data folder and makes none', async () => {
    const absent = file('absent')
    const said = await home.cli(['rfm-file', file('payments.csv'), '--as-of', '2026-03-01', '--json'], {
      PERENNIAL_HOME: absent,
    })
    assert.equal(said.code, 3, said.stderr)
    const answer = answerOf(said, scoredFile)
    assert.deepEqual(answer.rejected, [{ line: 5, reason: 'missing_customer' }])
    assert.deepEqual([answer.rows_in, answer.rows_after_as_of, answer.buyers], [5, 1, 2])
    assert.deepEqual(
      answer.customers.map(({ customer, recency_days, frequency, monetary }) => [
        customer,
        recency_days,
        frequency,
        monetary,
      ]),
      [
        ['A', 24, 2, 40.5],
        ['B', 28, 1, 20],
      ],
    )
    assert.equal(existsSync(absent), false)
  })

  test('without a brand: a question is refused, a dry run leaves nothing, the demo is not there', async () => {
    // Both find no cluster, and one of them makes it.
    const [asked, demo] = await inPairs([['brief'], ['import', file('orders.csv'), '--into-demo']], (args) =>
      cli(...args, '--json'),
    )
    assert.equal(asked?.code, 1)
    assert.equal(answerOf(asked, refused).error.code, 'no_brand')
    assert.match(asked?.stderr ?? '', /^There is no brand yet\.\n.+\n$/)
    assert.equal(demo?.code, 1)
    assert.equal(answerOf(demo, refused).error.code, 'no_demo')

    const tried = await cli('import', file('orders.csv'), '--dry-run', '--json')
    assert.equal(tried.code, 3, tried.stderr)
    const report = answerOf(tried, imported)
    assert.deepEqual([report.dry_run, report.import_id, report.brand, report.rows_stored], [true, null, null, 6])
    assert.equal(report.sample?.length, 6)
    assert.deepEqual([report.guess?.mapping.name, report.guess?.columns.length], ['orders', 7])

    const unsure = await cli('import', file('unsure.csv'), '--json')
    assert.equal(unsure.code, 1)
    assert.equal(answerOf(unsure, refused).error.code, 'unsure_mapping')
    assert.match(unsure.stderr, /^kind: orders$/m, 'a mapping to be mended')

    const lost = await cli('import', file('nowhere.csv'), '--json')
    assert.equal(lost.code, 1)
    assert.equal(answerOf(lost, refused).error.code, 'no_such_file')

    const doctor = answerOf(await cli('doctor', '--json'), examined)
    assert.deepEqual(doctor.brands, [])
    assert.deepEqual([doctor.home, doctor.database.state], [home.folder, 'stopped'])
  })

  test('import stores what it can, gives the rest back, and knows the file the second time', async () => {
    const first = await cli('import', file('orders.csv'), '--option', 'connected_by=shop_account', '--json')
    assert.equal(first.code, 3, first.stderr)
    const report = answerOf(first, imported)
    assert.equal(report.brand, 'main')
    assert.deepEqual(report.rejected_by_reason, { bad_time: 1 })
    assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
    assert.ok(report.rejects_file?.startsWith(file('rejects')), 'below PERENNIAL_HOME')
    assert.match(await readFile(report.rejects_file ?? '', 'utf8'), /^1005,C9,20 May,.*,8,bad_time: /m)

    const second = answerOf(await cli('import', file('orders.csv'), '--json'), imported)
    assert.deepEqual([second.documents_new, second.documents_known, second.rows_merged], [0, 5, 6])
    assert.ok((await readdir(home.folder)).includes('secrets'))
  })

  test('a guessed file of another shop is asked about before it corrects anything', async () => {
    await writeFile(file('tmall.csv'), 'order_no,customer,date,sku,qty,price\n1001,C7,2026-03-01,cup,1,1.00\n')
    const refusal = await cli('import', file('tmall.csv'), '--json')
    assert.equal(refusal.code, 1)
    assert.equal(answerOf(refusal, refused).error.code, 'which_source')
    assert.match(answerOf(refusal, refused).error.remedy, /--source NAME.*--source orders/)
    const told = answerOf(await cli('import', file('tmall.csv'), '--source', 'tmall', '--dry-run', '--json'), imported)
    assert.deepEqual([told.source, told.documents_new, told.documents_corrected], ['tmall', 1, 0])
    assert.equal((await cli('import', file('tmall.csv'), '--source', '')).code, 2)
  })

  test('every answer has the documented shape, several commands at a time', async () => {
    const asked: [name: string, ...args: string[]][] = [
      ['brief'],
      ['brief', '--as-of', '2026-04-01'],
      ['person', 'C7'],
      ['person', 'orders:C7', '--as-of', '2026-04-01T10:00+08:00'],
      ['depth'],
      ['rfm'],
      ['rfm', '--ties', 'first', '--recency', '24h', '--occasion', 'order'],
      ['settings'],
      ['settings', '--set', 'fan_tier_scores=4,20,60.5', '--set', 'rfm_frequency=1,2,3,5'],
      ['doctor'],
    ]
    const answers = await inPairs(asked, async ([name, ...args]) => {
      const said = await cli(name, ...args, '--json')
      assert.equal(said.code, 0, `${name}: ${said.stderr}`)
      return answerOf(said, ANSWERS[name] ?? z.never())
    })
    // After the other one: of two that are set side by side either can be the last.
    const unset = await cli('settings', '--set', 'rfm_frequency=none', '--json')
    assert.equal(unset.code, 0, unset.stderr)
    answerOf(unset, settingsAnswer)
    const [set, wrongList, unknown, unsaid] = await inPairs(
      [['--json'], ['--set', 'fan_tier_scores=5,5,6', '--json'], ['--set', 'colour=red', '--json'], ['--set', 'zone']],
      (args) => cli('settings', ...args),
    )
    const {
      fan_tier_scores: scores,
      rfm_frequency: frequency,
      is_rebuilding,
      followed_at,
    } = answerOf(set, settingsAnswer)
    assert.deepEqual([scores, frequency, is_rebuilding], [[4, 20, 60.5], null, false])
    assert.ok(followed_at, 'everybody follows when the command ends')
    assert.equal(answerOf(wrongList, refused).error.code, 'cuts_not_ascending')
    assert.equal(answerOf(unknown, refused).error.code, 'invalid_setting')
    assert.equal(unsaid?.code, 2)
    const [now, then] = answers.map((answer) => answer as z.infer<typeof brief>)
    // 2 × 68.00 + 45.50 + 68.00 + 3 × 45.50 + 128.00 − 45.50
    assert.deepEqual([now?.buyers, now?.orders, now?.net_revenue_minor], [2, 4, 46_850])
    assert.deepEqual([then?.as_of, then?.orders], ['2026-03-31T16:00:00.000Z', 1])

    const span = ['depth', '--from', '2026-03-01', '--to', '2026-05-20T10:00']
    const [moved, own, wrong] = await inPairs(
      [span, [...span, '--person', 'C7'], ['depth', '--to', '2026-03-01']],
      (args) => cli(...args, '--json'),
    )
    const report = answerOf(moved, migrationReport)
    assert.deepEqual(
      report.flows.map((flow) => [flow.from_depth, flow.to_depth, flow.people]),
      [
        [0, 3, 1],
        [0, 4, 1],
      ],
    )
    assert.deepEqual(
      answerOf(own, personMigration).changes.map(({ to_depth, cause }) => [to_depth, cause.source]),
      [
        [3, 'orders'],
        [4, 'orders'],
      ],
    )
    assert.equal(wrong?.code, 2, 'an end without a beginning')
    const [went, bad] = await inPairs(['0:4', '4'], (flow) => cli(...span, '--flow', flow, '--json'))
    assert.deepEqual(
      answerOf(went, flowPage).people.map(({ key, cause }) => [key, cause?.kind, cause?.external_id]),
      [['C7', 'order', '1004']],
    )
    assert.equal(bad?.code, 2, 'half of a flow is none')
    assert.match(
      (await cli('person', 'C7')).stdout,
      /^2026-05-20 +3 +4 +order +orders +1004$/m,
      'changes name their fact',
    )

    await writeFile(file('twice.yaml'), 'all:\n  - orders: { count: { at_least: 2 } }\n  - depth: { is: [3, 4] }\n')
    await writeFile(file('bad.json'), '{"all": [{"orders": {"cuont": {"at_least": 2}}}]}')
    const [counted, members, why, badSegment] = await inPairs(
      [
        ['count', file('twice.yaml')],
        ['members', file('twice.yaml')],
        ['explain', file('twice.yaml'), '--person', 'C8'],
        ['count', file('bad.json')],
      ],
      (args) => cli('segment', ...args, '--json'),
    )
    assert.deepEqual(answerOf(counted, segmentCount).people, 1)
    assert.deepEqual(
      answerOf(members, peoplePage).people.map(({ key }) => key),
      ['C7'],
    )
    assert.deepEqual(
      answerOf(why, explanation).nodes.map(({ path, holds, observed }) => [path, holds, observed?.count]),
      [
        ['$.all', false, undefined],
        ['$.all[0].orders', false, 1],
        ['$.all[1].depth', true, undefined],
      ],
    )
    assert.match(answerOf(badSegment, refused).error.message, /^\$\.all\[0\]\.orders.*cuont/)

    const rebuilding = await cli('rebuild', '--json')
    assert.equal(answerOf(rebuilding, rebuilt).people, 2)
    const again = answerOf(await cli('brief', '--json'), brief)
    assert.deepEqual({ ...again, as_of: '' }, { ...now, as_of: '' }, 'a rebuild changes no figure')
  })

  test('people come from a file; what cannot be one person waits for a human, whose decisions can be taken back', async () => {
    const answer = async <Schema extends z.ZodType>(schema: Schema, ...args: string[]) => {
      const said = await cli(...args, '--json')
      assert.equal(said.code, 0, said.stderr)
      return answerOf(said, schema)
    }
    const report = await answer(imported, 'import', file('members.csv'), '--option', 'own_id_source=orders')
    assert.deepEqual([report.guess?.mapping.kind, report.rows_stored, report.orders], ['people', 3, 0])
    const known = await answer(
      imported,
      'import',
      file('members.csv'),
      '--mapping',
      'people',
      '--option',
      'own_id_source=orders',
    )
    assert.deepEqual([known.guess, known.rows_merged], [null, 3])

    const { values } = await answer(reviewed, 'review')
    assert.deepEqual(
      values.map(({ kind, value, unionids, accounts }) => [kind, value, unionids, accounts]),
      [['phone', '+8613800138017', 2, 2]],
    )
    const orders = async () => (await answer(person, 'person', 'C7')).occasions_list.length
    assert.equal(await orders(), 2)
    const merged = await answer(decided, 'merge', 'C7', 'C8')
    assert.equal(await orders(), 3, 'the facts of both')
    const split = await answer(decided, 'split', 'C8')
    assert.equal(await orders(), 2)
    assert.deepEqual(await answer(decided, 'withdraw', String(split.claim_id)), split)
    assert.equal(await orders(), 3)
    assert.deepEqual(await answer(decided, 'withdraw', String(merged.claim_id)), merged)
    assert.equal(await orders(), 2)
    const [again, alone] = await inPairs(
      [
        ['withdraw', String(merged.claim_id)],
        ['merge', 'C7', 'C7'],
      ],
      (args) => cli(...args, '--json'),
    )
    assert.equal(answerOf(again, refused).error.code, 'no_such_claim')
    assert.equal(answerOf(alone, refused).error.code, 'no_such_person')
  })

  test('tags come from a file; by hand they are given, taken and put back', async () => {
    const answer = async <Schema extends z.ZodType>(schema: Schema, ...args: string[]) => {
      const said = await cli(...args, '--json')
      assert.equal(said.code, 0, said.stderr)
      return answerOf(said, schema)
    }
    await writeFile(
      file('tags.csv'),
      'customer_id,tag,group,occurred_at\nC7,送礼,场景,2026-05-01\nC8,投诉,,2026-05-02\n',
    )
    const report = await answer(imported, 'import', file('tags.csv'), '--option', 'own_id_source=orders')
    assert.deepEqual([report.kind, report.guess?.mapping.kind, report.rows_stored], ['tags', 'tags', 2])
    const people = async () =>
      (await answer(listedTags, 'tags')).tags.map(({ name, group, people: having }) => [name, group, having])
    assert.deepEqual(await people(), [
      ['送礼', '场景', 1],
      ['投诉', null, 1],
    ])
    const given = await answer(tagEdited, 'tag-give', '送礼', 'C8', '--strength', '0.5')
    assert.deepEqual([given.verb, given.asked, given.changed], ['give', 1, 1])
    const taken = await answer(tagEdited, 'tag-take', '送礼', 'C7')
    assert.deepEqual([taken.verb, taken.changed], ['take', 1])
    assert.deepEqual((await people())[0], ['送礼', '场景', 1])
    const undoing = ['tag-undo', String(taken.edit_id)] as const
    assert.deepEqual(await answer(tagUndone, ...undoing), { edit_id: taken.edit_id, restored: 1, left_alone: 0 })
    assert.deepEqual((await people())[0], ['送礼', '场景', 2])
    assert.equal((await answer(ruledTag, 'tag-rule', '送礼', '--none')).rule_segment, null)
    const calls = [[...undoing], ['tag-give', 'VIP', 'C7'], ['tag-rule', '送礼', '--segment', '7']]
    const [again, unknown, ruled] = await inPairs(calls, (args) => cli(...args, '--json'))
    assert.equal(answerOf(again, refused).error.code, 'already_undone')
    assert.equal(answerOf(unknown, refused).error.code, 'no_such_tag')
    assert.equal(answerOf(ruled, refused).error.code, 'no_such_segment')
  })

  test('the demo brand is made and made anew, beside the brand that is current', async () => {
    for (const people of [400, 200]) {
      const made = answerOf(await cli('demo', '--people', String(people), '--json'), madeDemo)
      assert.deepEqual([made.brand, made.people], ['demo', people])
      assert.ok(made.files.every(({ rows_in, rows_rejected }) => rows_in > 0 && rows_rejected === 0))
      const { people: known, brand: shown } = answerOf(await cli('brief', '--brand', 'demo', '--json'), brief)
      assert.ok(known >= people && known < people * 1.1 && shown.is_demo, `${known} people`)
    }
    assert.equal(answerOf(await cli('brief', '--json'), brief).brand.key, 'main')
  })

  test('keys and webhooks are made, listed and revoked', async () => {
    const made = await cli('api-key-create', 'till', '--scope', 'facts:write', '--json')
    assert.equal(made.code, 0, made.stderr)
    const key = answerOf(made, madeKey)
    assert.deepEqual([key.brand, key.name, key.scopes], ['main', 'till', ['facts:write']])
    const listed = await cli('api-key-list', '--json')
    assert.ok(!listed.stdout.includes(key.key), 'shown once')
    assert.deepEqual(
      answerOf(listed, apiKeys).api_keys.map(({ key_id, revoked_at }) => [key_id, revoked_at]),
      [[key.key_id, null]],
    )
    const hook = answerOf(await cli('webhook-create', 'my-shop', '--json'), madeWebhook)
    assert.ok(hook.url.endsWith('/api/v1/webhooks/my-shop?brand=main'))
    const [revoked, unhooked, unknown] = await inPairs(
      [
        ['api-key-revoke', String(key.key_id)],
        ['webhook-revoke', String(hook.webhook_id)],
        ['api-key-revoke', '99'],
      ],
      (args) => cli(...args, '--json'),
    )
    assert.notEqual(answerOf(revoked, apiKey).revoked_at, null)
    assert.deepEqual(answerOf(unhooked, revokedWebhook), { webhook_id: hook.webhook_id, source: 'my-shop' })
    assert.equal(answerOf(unknown, refused).error.code, 'no_such_key')
  })

  test('--brand makes and chooses a brand; an unknown one is refused by name', async () => {
    const other = await cli('import', file('other.csv'), '--brand', 'second', '--json')
    assert.equal(other.code, 0, other.stderr)
    assert.equal(answerOf(other, imported).brand, 'second')
    const [main, second, current, unknown] = await inPairs(
      [['--brand', 'main'], ['--brand', 'second'], [], ['--brand', 'third']],
      (args) => cli('brief', '--json', ...args),
    )
    assert.equal(answerOf(main, brief).orders, 4)
    assert.equal(answerOf(second, brief).orders, 1)
    assert.equal(answerOf(current, brief).brand.key, 'main', 'a second brand does not take the console over')
    assert.deepEqual(answerOf(await cli('use', 'second', '--json'), used), { brand: 'second', name: 'second' })
    assert.equal(answerOf(await cli('brief', '--json'), brief).brand.key, 'second')
    assert.equal(unknown?.code, 1)
    assert.equal(answerOf(unknown, refused).error.code, 'no_such_brand')
  })

  test('a backup beside the server; a restore is refused beside it, and puts back what was there', async () => {
    const server = await home.start()
    const made = await cli('backup', home.folder, '--json')
    assert.equal(made.code, 0, made.stderr)
    const { file: path, databases: dumped } = answerOf(made, backedUp)
    assert.deepEqual(dumped.map(({ brand }) => brand).sort(), ['demo', 'main', 'second', null].sort())
    const beside = await cli('restore', path, '--replace', '--json')
    assert.equal(answerOf(beside, refused).error.code, 'already_running')
    assert.equal(await server.signal('SIGTERM'), 0)
    const before = answerOf(await cli('brief', '--brand', 'main', '--json'), brief)
    await cli('import', file('other.csv'), '--brand', 'main', '--source', 'other')
    const plain = await cli('restore', path, '--json')
    assert.equal(answerOf(plain, refused).error.code, 'not_empty')
    const again = await cli('restore', path, '--replace', '--json')
    assert.equal(again.code, 0, again.stderr)
    assert.deepEqual(answerOf(again, restored).databases, dumped)
    const after = answerOf(await cli('brief', '--brand', 'main', '--json'), brief)
    assert.deepEqual({ ...after, as_of: '' }, { ...before, as_of: '' })
  })

  test('sign-in says where the server is missing, and prints a link that works once', async () => {
    // Port 1 is nobody's.
    const nobody = await home.cli(['sign-in', '--json'], { PORT: '1' })
    assert.equal(nobody.code, 1)
    assert.equal(answerOf(nobody, refused).error.code, 'no_server')
    const server = await home.start()
    const printed = await home.cli(['sign-in', '--json'], { PORT: new URL(server.url).port })
    assert.equal(printed.code, 0, printed.stderr)
    const { url } = answerOf(printed, link)
    assert.ok(url.startsWith(`${server.url}/sign-in/`))
    const [first, second] = [await fetch(url, { redirect: 'manual' }), await fetch(url, { redirect: 'manual' })]
    assert.deepEqual([first.status, second.status >= 400], [303, true])
    assert.equal(await server.signal('SIGTERM'), 0)
  })

  test('somebody is invited, lets themselves in, is closed and opened again', async () => {
    const server = await home.start()
    const port = new URL(server.url).port
    const call = (...args: string[]) => home.cli([...args, '--json'], { PORT: port })
    const mei = { name: 'Mei', email: 'mei@example.com', password: 'evergreen and 长青' }
    const made = answerOf(
      await call('user-invite', mei.name, mei.email, '--role', 'adviser', '--staff', 'lin'),
      invited,
    )
    const link = new URL(made.url)
    assert.equal(link.origin + link.pathname, `${server.url}/accept-invitation`)
    const before = answerOf(await call('users'), listedUsers)
    assert.deepEqual(
      before.invitations.map(({ email }) => email),
      [mei.email],
    )
    const send = (path: string, body: object) =>
      fetch(server.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: server.url },
        body: JSON.stringify(body),
      })
    const { name, password } = mei
    const accepted = await send('/api/v1/invitations/accept', { token: link.hash.slice(1), name, password })
    assert.equal(accepted.status, 200, await accepted.text())
    const after = answerOf(await call('users'), listedUsers)
    const found = after.users.find(({ email }) => email === mei.email)
    assert.deepEqual([found?.role, found?.staff_id, found?.sessions, after.invitations], ['adviser', 'lin', 1, []])
    const closed = answerOf(await call('user-disable', mei.email), user)
    assert.deepEqual([closed.sessions, typeof closed.disabled_at], [0, 'string'])
    const { email } = mei
    assert.equal((await send('/api/auth/sign-in/email', { email, password })).status, 403)
    assert.equal(answerOf(await call('user-enable', mei.email), user).disabled_at, null)
    assert.equal((await send('/api/auth/sign-in/email', { email, password })).status, 200)
    const [unknown, past] = [
      await call('user-disable', 'nobody@example.com'),
      await call('user-invite', 'A', 'a@example.com', '--role', 'outside_operator', '--until', '2020-01-01'),
    ]
    assert.equal(answerOf(unknown, refused).error.code, 'no_such_user')
    assert.equal(answerOf(past, refused).error.code, 'end_is_past')
  })
})

suite('the guide to the command line', () => {
  test('shows every answer with all its fields', async () => {
    const { sections } = await readGuide('en')
    for (const [name, schema] of Object.entries({ ...ANSWERS, 'For every command': refused })) {
      const example = sections.get(name)?.json
      assert.ok(example, `an example under ${name}`)
      assert.deepEqual(schema.parse(example), example, `${name}: a field that is not in its answer`)
      assert.deepEqual(undocumented(schema, example, name), [])
    }
  })

  test('shows who moved with all fields', async () => {
    const { text = '' } = (await readGuide('en')).sections.get('depth') ?? {}
    const [, moved, flow, own] = [...text.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = '']) => JSON.parse(json))
    assert.deepEqual(undocumented(migrationReport, migrationReport.parse(moved), 'depth'), [])
    assert.deepEqual(undocumented(flowPage, flowPage.parse(flow), 'depth'), [])
    assert.deepEqual(undocumented(personMigration, personMigration.parse(own), 'depth'), [])
  })

  test('is summed up by both READMEs', async () => {
    for (const file of ['README.md', 'README.zh-CN.md']) {
      const rows = (await readFile(join(root, file), 'utf8'))
        .split('\n')
        .filter((line) => line.startsWith('| `./perennial '))
      const named = rows.flatMap((line) => [...(line.split(' | ')[0] ?? '').matchAll(/`(?:\.\/perennial )?([\w-]+)/g)])
      const missing = Object.keys(ANSWERS).filter((name) => !named.some(([, said]) => said === name))
      assert.deepEqual(missing, [], file)
    }
  })

  test('says the same in Chinese', async () => {
    const [en, zh] = [await readGuide('en'), await readGuide('zh-CN')]
    assert.deepEqual(zh.examples, en.examples)
  })
})

/** Parses standard output; a field that the schema does not know is an error wherever it stands. */
function answerOf<Schema extends z.ZodType>(said: Output | undefined, schema: Schema): z.infer<Schema> {
  assert.ok(said)
  const answer: unknown = JSON.parse(said.stdout)
  const parsed = schema.parse(answer)
  assert.deepEqual(parsed, answer)
  return parsed
}

/** Two at a time, as many as the machines we promise have cores; results in order. */
async function inPairs<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let index = 0; index < list.length; index += 2) {
    results.push(...(await Promise.all(list.slice(index, index + 2).map(work))))
  }
  return results
}

interface Guide {
  /** By heading without its backquotes: the text, and the first JSON example in it. */
  readonly sections: ReadonlyMap<string, { readonly text: string; readonly json: unknown }>
  /** Every JSON example, in order. */
  readonly examples: readonly unknown[]
}

async function readGuide(language: string): Promise<Guide> {
  const text = await readFile(join(root, 'docs/guide', language, 'command-line.md'), 'utf8')
  const jsonIn = (part: string) =>
    [...part.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = '']) => JSON.parse(json))
  const parts = text.split(/^## /m).slice(1)
  const sections = parts.map((part) => {
    const [heading = ''] = part.split('\n')
    return [heading.replaceAll('`', ''), { text: part, json: jsonIn(part)[0] }] as const
  })
  return { sections: new Map(sections), examples: jsonIn(text) }
}

/** Paths of fields that the schema has and the example does not show. */
function undocumented(schema: z.ZodType, example: unknown, path: string): string[] {
  if (schema instanceof z.ZodNullable) {
    const inner = schema.unwrap() as z.ZodType
    const isPlain = !(inner instanceof z.ZodObject || inner instanceof z.ZodArray)
    return example === null && isPlain ? [] : undocumented(inner, example, path)
  }
  if (schema instanceof z.ZodArray) {
    if (!Array.isArray(example)) return [path]
    const element = schema.element as z.ZodType
    // Lists of plain values may be shown empty; of a list of objects one has to be seen.
    if (element instanceof z.ZodObject && example.length === 0) return [`${path}[]`]
    return example.flatMap((item) => undocumented(element, item, `${path}[]`))
  }
  if (schema instanceof z.ZodObject) {
    if (typeof example !== 'object' || example === null) return [path]
    const shown = example as Record<string, unknown>
    return Object.entries(schema.shape).flatMap(([key, field]) => {
      if (key in shown) return undocumented(field as z.ZodType, shown[key], `${path}.${key}`)
      // What an answer has only sometimes (sample, of a dry run) the guide shows apart.
      return field instanceof z.ZodOptional ? [] : [`${path}.${key}`]
    })
  }
  return []
}
