import { z } from 'zod'

/** Relationship depth (K1), docs/definitions.md §1: number, key, and the two names people see. */
export const DEPTHS = [
  { depth: 0, key: 'unconnected', zh: '未连接', en: 'Unconnected' },
  { depth: 1, key: 'connected', zh: '基础用户', en: 'Connected' },
  { depth: 2, key: 'member', zh: '未购会员', en: 'Member' },
  { depth: 3, key: 'buyer', zh: '已购会员', en: 'Buyer' },
  { depth: 4, key: 'repeat_buyer', zh: '复购会员', en: 'Repeat buyer' },
  { depth: 5, key: 'advocate', zh: '品牌KOC', en: 'Advocate' },
] as const

export const depthKey = z.enum(['unconnected', 'connected', 'member', 'buyer', 'repeat_buyer', 'advocate'])
export type DepthKey = z.infer<typeof depthKey>

/** The one missing fact that would deepen a relationship; null at the deepest. */
export const nextStep = z.enum(['connect', 'enrol', 'purchase', 'repurchase', 'spread'])

/** By depth (docs/definitions.md §1): what a relationship of that depth still lacks. */
const NEXT_STEPS: readonly (z.infer<typeof nextStep> | null)[] = [
  'connect',
  'enrol',
  'purchase',
  'repurchase',
  'spread',
  null,
]

/** @param lacksMembership only an enrolment makes a member (setting), and there is none: then a purchase would not deepen. */
export function nextStepAt(depth: number, lacksMembership = false): z.infer<typeof nextStep> | null {
  return lacksMembership && depth === 2 ? 'enrol' : (NEXT_STEPS[depth] ?? null)
}

/** When somebody is interested enough for depth 2 (docs/definitions.md §1): the score of §5, and a product fact so recent. */
export const INTEREST = { score: 10, half_life_seconds: 30 * 86_400, product_days: 30 } as const

/** Fan tiers, lowest first (docs/definitions.md §1.8). */
export const FAN_TIERS = [
  { tier: 'passer_by', zh: '路人', en: 'Passer-by' },
  { tier: 'follower', zh: '关注', en: 'Follower' },
  { tier: 'active', zh: '活跃', en: 'Active' },
  { tier: 'devoted', zh: '铁粉', en: 'Devoted fan' },
] as const

export const fanTier = z.enum(['passer_by', 'follower', 'active', 'devoted'])
export type FanTier = z.infer<typeof fanTier>

/** Fan tiers with the interaction score from which each holds (setting `fan_tier_scores`), lowest first. */
export function tiersFrom(scores: readonly number[]): { readonly tier: FanTier; readonly from: number }[] {
  return FAN_TIERS.map(({ tier }, index) => ({ tier, from: index === 0 ? 0 : (scores[index - 1] ?? Infinity) }))
}

/** How much somebody does with us, as of an instant. */
export const interaction = z.object({
  /** To two decimals. */
  score: z.number().min(0),
  tier: fanTier,
  /** First instant at which time alone changes the tier, and to which; null at the lowest. */
  tier_lapses_at: z.iso.datetime().nullable(),
  tier_lapses_to: fanTier.nullable(),
})
export type Interaction = z.infer<typeof interaction>

/** One fact that decides something: `kind` says in which table it stands, `fact_id` which one. */
export const evidence = z.object({
  fact_id: z.number().int(),
  kind: z.enum(['order', 'connection', 'membership', 'person', 'interaction', 'review', 'spread']),
  /** The source's own id, e.g. the order number. */
  external_id: z.string(),
  source: z.string(),
  occurred_at: z.iso.datetime(),
})
export type Evidence = z.infer<typeof evidence>

/**
 * The usual ten segments over R × F, as data: `r` and `f` are the scores that a segment covers (docs/definitions.md §2).
 */
export const RFM_SEGMENTS = [
  { segment: 'champions', zh: '冠军客户', r: [5], f: [4, 5] },
  { segment: 'loyal_customers', zh: '忠诚客户', r: [3, 4], f: [4, 5] },
  { segment: 'potential_loyalists', zh: '潜力客户', r: [4, 5], f: [2, 3] },
  { segment: 'new_customers', zh: '新客户', r: [5], f: [1] },
  { segment: 'promising', zh: '有望客户', r: [4], f: [1] },
  { segment: 'need_attention', zh: '需要关注', r: [3], f: [3] },
  { segment: 'about_to_sleep', zh: '即将沉睡', r: [3], f: [1, 2] },
  { segment: 'at_risk', zh: '有流失风险', r: [1, 2], f: [3, 4] },
  { segment: 'cant_lose', zh: '不能失去', r: [1, 2], f: [5] },
  { segment: 'hibernating', zh: '沉睡客户', r: [1, 2], f: [1, 2] },
] as const

/** The eight value groups: is R, F, M better than the mean of all buyers? */
export const RFM_VALUE_GROUPS = [
  { group: 'key_value', zh: '重要价值', r: true, f: true, m: true },
  { group: 'key_develop', zh: '重要发展', r: true, f: false, m: true },
  { group: 'key_keep', zh: '重要保持', r: false, f: true, m: true },
  { group: 'key_win_back', zh: '重要挽留', r: false, f: false, m: true },
  { group: 'general_value', zh: '一般价值', r: true, f: true, m: false },
  { group: 'general_develop', zh: '一般发展', r: true, f: false, m: false },
  { group: 'general_keep', zh: '一般保持', r: false, f: true, m: false },
  { group: 'general_win_back', zh: '一般挽留', r: false, f: false, m: false },
] as const

const score = z.number().int().min(1).max(5)

/** One buyer's RFM. */
export const rfmPerson = z.object({
  person_id: z.number().int(),
  key: z.string(),
  recency_days: z.number().int(),
  frequency: z.number().int(),
  monetary_minor: z.number().int(),
  r: score,
  f: score,
  m: score,
  segment: z.string(),
  value_group: z.string(),
})

export const rfmCuts = z.object({
  /** in_force: the dated cut table that held then. computed: made now from the facts up to as_of. */
  origin: z.enum(['in_force', 'computed']),
  in_force_from: z.iso.datetime().nullable(),
  buyers: z.number().int(),
  recency_days: z.array(z.number()),
  frequency: z.array(z.number()),
  monetary_minor: z.array(z.number()),
  /** Of which of the three the cuts are thresholds that the brand has set. */
  fixed: z.array(z.enum(['recency_days', 'frequency', 'monetary_minor'])),
})

/** What `./perennial rfm` answers. Means are over the buyers of the segment. */
export const rfmReport = z.object({
  as_of: z.iso.datetime(),
  currency: z.string(),
  recency_unit: z.enum(['day', '24h']),
  occasion_unit: z.enum(['day', 'order']),
  ties: z.enum(['group', 'first']),
  buyers: z.number().int(),
  cuts: rfmCuts,
  segments: z.array(
    z.object({
      segment: z.string(),
      buyers: z.number().int(),
      mean_recency_days: z.number().nullable(),
      mean_frequency: z.number().nullable(),
      mean_monetary_minor: z.number().nullable(),
    }),
  ),
  value_groups: z.array(z.object({ group: z.string(), buyers: z.number().int() })),
  people: z.array(rfmPerson),
})
export type RfmReport = z.infer<typeof rfmReport>
export type RfmPerson = z.infer<typeof rfmPerson>

/** What `./perennial depth --as-of` answers. */
export const depthReport = z.object({
  as_of: z.iso.datetime(),
  period_days: z.number().int(),
  people: z.number().int(),
  depths: z.array(
    z.object({
      depth: z.number().int(),
      key: depthKey,
      people: z.number().int(),
      /** People of this depth for whom time alone will change it, and when first. */
      lapsing: z.number().int(),
      first_lapses_at: z.iso.datetime().nullable(),
    }),
  ),
})
export type DepthReport = z.infer<typeof depthReport>

const depthNumber = z.number().int().min(0).max(5)

/**
 * What may cause a change of depth: `time` alone, or a fact by its kind. A document is `order` or `refund` by what it did
 * then; a connection that ended is `end_of_connection`; any other fact has the kind by which it came in. The log of changes keeps
 * the place in this list: new ones go to its end.
 */
export const CAUSE_KINDS = [
  'time',
  'order',
  'refund',
  'end_of_connection',
  'connection',
  'membership',
  'person',
  'interaction',
  'review',
  'spread',
  'spread_voided',
] as const
export const causeKind = z.enum(CAUSE_KINDS)
export type CauseKind = z.infer<typeof causeKind>

export const changeCause = z.object({
  kind: causeKind,
  /** Null where time did it. */
  fact_id: z.number().int().nullable(),
  source: z.string().nullable(),
  /** The source's own id, e.g. the order number; of a connection its channel. */
  external_id: z.string().nullable(),
  at: z.iso.datetime(),
})
export type ChangeCause = z.infer<typeof changeCause>

/** Who moved between two instants: what `./perennial depth --from A --to B` answers (docs/definitions.md §1.6). */
export const migrationReport = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  currency: z.string(),
  /** Known at `to`. */
  people: z.number().int(),
  depths: z.array(
    z.object({
      depth: z.number().int(),
      key: depthKey,
      /** Of the people known at `to`; who was not known at `from` was at 0. */
      people_from: z.number().int(),
      people_to: z.number().int(),
      /** Mean net paid, minor units, of who is there at `to`; null where nobody is. */
      value_minor: z.number().int().nullable(),
    }),
  ),
  /** Cells of the matrix in which somebody is; who stayed is in those with two equal depths. */
  flows: z.array(z.object({ from_depth: depthNumber, to_depth: depthNumber, people: z.number().int() })),
  ups: z.number().int(),
  downs: z.number().int(),
  /** ups − downs. */
  net_deepening: z.number().int(),
  /** Sum over who moved of the value of the depth at `to` less that of the depth at `from`, minor units. */
  net_deepening_value_minor: z.number().int(),
  /** People who moved from or to a depth without a value: they are not in that sum. */
  unvalued: z.number().int(),
  /** People who moved, by what decided it. */
  causes: z.array(z.object({ kind: causeKind, ups: z.number().int(), downs: z.number().int() })),
})
export type MigrationReport = z.infer<typeof migrationReport>

export const migrationQuery = z.object({
  from: z.iso.datetime({ offset: true }),
  /** Now when absent. */
  to: z.iso.datetime({ offset: true }).optional(),
  /** Any of these four: one page of the people, in place of the figures. Both depths are a flow; one is its end. */
  from_depth: z.coerce.number().int().min(0).max(5).optional(),
  to_depth: z.coerce.number().int().min(0).max(5).optional(),
  /** Who moved, and which way; `all`, or another of these without it: also who stayed. */
  moved: z.enum(['up', 'down', 'any', 'all']).optional(),
  /** Kind of the fact that decided it, as `causes` of the figures has it. */
  cause: causeKind.optional(),
  /** Keyset: the `next` of the page before. */
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type MigrationQuery = z.infer<typeof migrationQuery>

/** Calendar months of the brand's zone, the running one last. */
export const netDeepeningQuery = z.object({ months: z.coerce.number().int().min(1).max(36).default(12) })

/** Net deepening month by month; each is what the migration from its first instant to its last says. */
export const netDeepening = z.object({
  months: z.array(
    z.object({
      from: z.iso.datetime(),
      /** The first instant of the next month; of the running one the instant of asking. */
      to: z.iso.datetime(),
      ups: z.number().int(),
      downs: z.number().int(),
      net_deepening: z.number().int(),
    }),
  ),
})
export type NetDeepening = z.infer<typeof netDeepening>

/** People of a migration, who moved last first. */
export const flowPage = z.object({
  total: z.number().int(),
  people: z.array(
    z.object({
      person_id: z.number().int(),
      key: z.string(),
      key_kind: z.string(),
      source: z.string(),
      /** What a record calls them, the latest that says a name. */
      name: z.string().nullable(),
      from_depth: depthNumber,
      to_depth: depthNumber,
      /** The change that decided it; null for who stayed. */
      changed_at: z.iso.datetime().nullable(),
      cause: changeCause.nullable(),
    }),
  ),
  next: z.string().nullable(),
})
export type FlowPage = z.infer<typeof flowPage>

/** One person's changes between two instants, oldest first. */
export const personMigration = z.object({
  person_id: z.number().int(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  from_depth: depthNumber,
  to_depth: depthNumber,
  changes: z.array(
    z.object({ changed_at: z.iso.datetime(), from_depth: depthNumber, to_depth: depthNumber, cause: changeCause }),
  ),
})
export type PersonMigration = z.infer<typeof personMigration>

/** A payment of a plain file, for RFM without a brand. */
export interface Transaction {
  readonly customer: string
  /** Milliseconds since 1970 of the wall clock of the file: days and 24-hour periods are counted on it. */
  readonly at: number
  readonly amount: number
}

/** One customer of such a file. */
export interface ScoredCustomer {
  readonly customer: string
  readonly recency_days: number
  readonly frequency: number
  readonly monetary: number
  readonly r: number
  readonly f: number
  readonly m: number
  readonly segment: string
  readonly value_group: string
}
