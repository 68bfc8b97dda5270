import { z } from 'zod'

/** Limits of a definition; what is beyond them is refused with its place. */
export const LIMITS = {
  /** Clauses, those of segments that it refers to included. */
  clauses: 200,
  /** How deep `all`, `any` and `not` may stand in each other. */
  nesting: 10,
  /** Values in one list of a clause. */
  values: 200,
  /** A hundred years. */
  days: 36_600,
} as const

const days = z.number().int().min(0).max(LIMITS.days)
const text = z.string().min(1).max(200)
export const texts = z.array(text).min(1).max(LIMITS.values)

/** A range of whole numbers, both ends in; one of them may be left out. */
export const rangeOf = (min: number, max: number) =>
  z
    .strictObject({
      at_least: z.number().int().min(min).max(max).optional(),
      at_most: z.number().int().min(min).max(max).optional(),
    })
    .refine((range) => range.at_least !== undefined || range.at_most !== undefined, 'needs at_least or at_most')
    .refine((range) => (range.at_least ?? min) <= (range.at_most ?? max), 'at_least is above at_most')
export interface Range {
  readonly at_least?: number | undefined
  readonly at_most?: number | undefined
}
export const daysRange = rangeOf(0, LIMITS.days)

export const CALENDAR_WINDOWS = [
  'today',
  'yesterday',
  'this_week',
  'last_week',
  'this_month',
  'last_month',
  'this_quarter',
  'last_quarter',
  'this_year',
  'last_year',
] as const
export type CalendarWindow = (typeof CALENDAR_WINDOWS)[number]

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: 'is no time: write 2026-03-01, or 2026-03-01T12:00:00+08:00',
})

/** When facts happened: so many days back from the instant of asking, a stretch of the calendar, or fixed ends. */
export const timeWindow = z
  .strictObject({
    last_days: days.min(1).optional(),
    calendar: z.enum(CALENDAR_WINDOWS).optional(),
    from: moment.optional(),
    to: moment.optional(),
  })
  .refine(
    (window) =>
      [window.last_days, window.calendar, window.from ?? window.to].filter((way) => way !== undefined).length === 1,
    'needs one of last_days, calendar, or from and to',
  )
  .refine(
    ({ from, to }) => from === undefined || to === undefined || new Date(from) < new Date(to),
    'ends before it begins',
  )
export type TimeWindow = z.infer<typeof timeWindow>

/** A definition as it is written and kept: `{"all": […]}`, `{"any": […]}`, `{"not": …}`, or one clause by its kind. */
export const definition = z.record(z.string(), z.unknown())
export type Definition = z.infer<typeof definition>

const instant = z.iso.datetime()
const name = z.string().trim().min(1).max(120)
const segmentId = z.number().int().positive()

export const segmentCommand = z.strictObject({ name, definition })
export const segmentChange = z.strictObject({ name: name.optional(), definition: definition.optional() })

export const segmentUse = z.object({ user_kind: z.string(), user_id: z.number().int(), user_name: z.string() })
export type SegmentUse = z.infer<typeof segmentUse>

export const listedSegment = z.object({
  segment_id: segmentId,
  name: z.string(),
  version: z.number().int(),
  /** People in it, as last worked out; null for who sees only some of the people. */
  size: z.number().int().nullable(),
  /** At the end of the day seven days ago, in the brand's zone; null where it was not there yet, and where `size` is. */
  size_7_days_ago: z.number().int().nullable(),
  /** When it was last worked out for everybody; null: it has yet to be. */
  evaluated_at: instant.nullable(),
  /** Who uses it, and so keeps it from being deleted. */
  used_by: z.array(segmentUse),
})

export const segment = listedSegment.extend({
  definition,
  made_at: instant,
  made_by: z.string(),
  /** Segments that it refers to. */
  refers_to: z.array(segmentId),
})
export type Segment = z.infer<typeof segment>
export const segmentList = z.object({ segments: z.array(listedSegment) })

export const segmentVersions = z.object({
  versions: z.array(z.object({ version: z.number().int(), definition, made_at: instant, made_by: z.string() })),
})

/** `sample`: from some of the people, while somebody types; the more conditions read facts, the fewer. */
const countMethod = z.enum(['sample', 'exact'])
export type CountMethod = z.infer<typeof countMethod>

export const countCommand = z.strictObject({
  definition,
  method: countMethod.default('exact'),
  as_of: z.iso.datetime({ offset: true }).optional(),
})
export const segmentCount = z.object({
  as_of: instant,
  method: z.enum(['sample', 'exact']),
  /** People for whom the definition holds. */
  people: z.number().int(),
  /** The interval that has the true number in it 95 times of 100; both are `people` where everybody was looked at. */
  low: z.number().int(),
  high: z.number().int(),
  /** Out of how many. */
  of_people: z.number().int(),
  sampled: z.number().int(),
})
export type SegmentCount = z.infer<typeof segmentCount>

export const segmentSizes = z.object({
  /** Of each day on which it changed, at the day's end in the brand's zone; oldest first. */
  sizes: z.array(z.object({ day: z.iso.date(), size: z.number().int() })),
})
export const sizesQuery = z.object({ days: z.coerce.number().int().min(1).max(3660).default(90) })

/** A fact that decides. */
const decidingFact = z.object({
  fact_id: z.number().int(),
  kind: z.string().nullable(),
  source: z.string().nullable(),
  external_id: z.string().nullable(),
})

/** Why somebody is in a segment or is not, node by node in the order of the definition. */
export const explanation = z.object({
  person_id: z.number().int(),
  as_of: instant,
  holds: z.boolean(),
  /** First instant at which time alone changes that; null: it does not within what was looked at. */
  flips_at: instant.nullable(),
  nodes: z.array(
    z.object({
      /** Its place in the definition: `$.all[1].orders`. */
      path: z.string(),
      /** In how many nodes it stands; what a segment says stands in the segment, with places of its own definition. */
      nesting: z.number().int(),
      kind: z.string(),
      holds: z.boolean(),
      /** What is asked for: of `segment` its number, null of `all`, `any` and `not`. */
      wanted: z.unknown(),
      /** What is so of the person; null of those too. */
      observed: z.record(z.string(), z.unknown()).nullable(),
      fact: decidingFact.nullable(),
    }),
  ),
})
export type Explanation = z.infer<typeof explanation>
export const explainCommand = z.strictObject({ definition, as_of: z.iso.datetime({ offset: true }).optional() })

/** One stay of somebody in a segment, `[in_at, out_at)`. */
export const stay = z.object({
  segment_id: segmentId,
  name: z.string(),
  in_at: instant,
  /** Null: is in it. */
  out_at: instant.nullable(),
  /** `fact`, `time`, `definition`, `cuts`, `value` or `settings`. */
  in_cause: z.string(),
  in_fact_id: z.number().int().nullable(),
  out_cause: z.string().nullable(),
  out_fact_id: z.number().int().nullable(),
})
export type Stay = z.infer<typeof stay>
export const stays = z.object({ stays: z.array(stay) })
