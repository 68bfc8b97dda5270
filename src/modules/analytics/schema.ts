import { z } from 'zod'
import { depthKey, evidence, fanTier, interaction, nextStep, RFM_SEGMENTS } from '../relationship/schema.ts'
import { countCommand } from '../segments/schema.ts'

export const rfmSegment = z.enum([...RFM_SEGMENTS.map(({ segment }) => segment), 'none'])

/** One person in a list: enough to recognise them and to see why they are in it. */
export const listedPerson = z.object({
  person_id: z.number().int(),
  /** What the source calls them: the argument of `person KEY`. */
  key: z.string(),
  /** Of what kind the key is: an own id, a phone … */
  key_kind: z.string(),
  source: z.string(),
  /** What a record calls them, the latest that says a name. */
  name: z.string().nullable(),
  depth: z.number().int().min(0).max(5),
  depth_key: depthKey,
  since: z.iso.datetime().nullable(),
  /** First instant at which time alone changes the depth; null when nothing is dated. */
  lapses_at: z.iso.datetime().nullable(),
  /** The depth they fall to then. */
  lapses_to: z.number().int().nullable(),
  last_occasion_at: z.iso.datetime().nullable(),
  occasions: z.number().int(),
  /** Net paid, minor units of the brand's currency. */
  net_paid_minor: z.number().int(),
})
export type ListedPerson = z.infer<typeof listedPerson>

/** The brand that the console shows, and the server's clock. */
export const brandInfo = z.object({
  key: z.string(),
  name: z.string(),
  is_demo: z.boolean(),
  zone: z.string(),
  currency: z.string(),
  period_days: z.number().int(),
  now: z.iso.datetime(),
})
export type BrandInfo = z.infer<typeof brandInfo>

/** The brief (M1): what the Today page and `./perennial brief` show; one query, one answer. */
export const brief = z.object({
  brand: z.object({
    key: z.string(),
    name: z.string(),
    is_demo: z.boolean(),
    zone: z.string(),
    currency: z.string(),
    period_days: z.number().int(),
  }),
  as_of: z.iso.datetime(),
  /** People known by anything at all. */
  people: z.number().int(),
  /** People with at least one countable purchase occasion, ever. */
  buyers: z.number().int(),
  /** Paid orders that are not fully refunded, anonymous ones included. */
  orders: z.number().int(),
  /** Of these, orders without a customer: in revenue, not in people. */
  anonymous_orders: z.number().int(),
  /** Everything paid less everything refunded, minor units of `brand.currency`. */
  net_revenue_minor: z.number().int(),
  /** The part of it from orders without a customer. */
  anonymous_net_revenue_minor: z.number().int(),
  /** Refunds that found no earlier line to reduce: already taken off net_revenue_minor. */
  unmatched_refunds: z.number().int(),
  unmatched_refunds_minor: z.number().int(),
  depths: z.array(z.object({ depth: z.number().int(), key: depthKey, people: z.number().int() })),
  /** People whose depth lapses by time alone within 7 and 30 days. */
  lapsing_7_days: z.number().int(),
  lapsing_30_days: z.number().int(),
  /** Who lapses next, soonest first, at most 10. */
  lapses_next: z.array(listedPerson),
  /** What became known in the 24 hours before as_of (by recorded_at), and who moved (by when it took effect). */
  since_yesterday: z.object({
    orders_recorded: z.number().int(),
    refunds_recorded: z.number().int(),
    net_revenue_recorded_minor: z.number().int(),
    people_deepened: z.number().int(),
    people_lapsed: z.number().int(),
  }),
  /** Null for an adviser too, whose figures count their own people: a file brings everyone's. */
  last_import: z
    .object({
      import_id: z.number().int(),
      file_name: z.string(),
      finished_at: z.iso.datetime(),
      rows_in: z.number().int(),
      rows_stored: z.number().int(),
      rows_merged: z.number().int(),
      rows_rejected: z.number().int(),
    })
    .nullable(),
})
export type Brief = z.infer<typeof brief>

/** Which people a figure counts: the same words in the URL, the API and the command line. */
export const peopleFilter = z.object({
  depth: z.coerce.number().int().min(0).max(5).optional(),
  /** Lapsing by time alone within so many days. */
  lapsing_days: z.coerce.number().int().min(1).max(366).optional(),
  buyers: z.enum(['true', 'false']).optional(),
  /** `none`: who has never bought has no segment. */
  rfm_segment: rfmSegment.optional(),
  fan_tier: fanTier.optional(),
  /** Who has the tag of this number. */
  tag: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
  /** A key, a whole phone or e-mail, the last four digits of a phone, or a part of a name. */
  search: z.string().trim().min(1).max(200).optional(),
  /** Members of a segment; with as_of those of that instant, as it was written then. */
  in_segment: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
  /** The people behind a figure of `since_yesterday`, in the 24 hours before as_of. */
  since_yesterday: z.enum(['deepened', 'lapsed', 'ordered', 'refunded']).optional(),
  as_of: z.iso.datetime({ offset: true }).optional(),
  /** Keyset: the `next` of the page before. */
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type PeopleFilter = z.infer<typeof peopleFilter>

/** Whom a definition holds for that is no segment yet; by `sample` those that its count found. */
export const membersCommand = countCommand.extend({
  after: peopleFilter.shape.after,
  limit: z.number().int().min(1).max(200).default(50),
})

export const peoplePage = z.object({
  total: z.number().int(),
  /** A search found more than are looked at: there are at least `total`, and the page is of those. Type more of the name. */
  is_total_minimum: z.boolean(),
  people: z.array(listedPerson),
  next: z.string().nullable(),
})
export type PeoplePage = z.infer<typeof peoplePage>

const plainIdentity = z.object({ kind: z.string(), namespace: z.string(), value: z.string() })

/** People by depth and segment, as of an instant: cells in which somebody is. */
export const segmentMatrix = z.object({
  as_of: z.iso.datetime(),
  people: z.number().int(),
  cells: z.array(z.object({ depth: z.number().int(), rfm_segment: rfmSegment, people: z.number().int() })),
})
export type SegmentMatrix = z.infer<typeof segmentMatrix>

/** One person whole: what `./perennial person KEY` and the person drawer show. */
export const person = listedPerson.extend({
  as_of: z.iso.datetime(),
  currency: z.string(),
  /** What somebody lost was when the last connection ended; whoever else is 0 never was anything, and is 0 here too. */
  depth_if_connected: z.number().int(),
  /** Disconnected now, connected before. */
  is_lost: z.boolean(),
  next_step: nextStep.nullable(),
  identities: z.array(
    plainIdentity.extend({
      identity_id: z.number().int(),
      /** When we first heard of it. */
      recorded_at: z.iso.datetime(),
      /** Who says that it is theirs, and since when; empty where it came with facts alone. */
      claims: z.array(
        z.object({
          claim_id: z.number().int(),
          /** A record of a source, or a merge by hand. */
          kind: z.enum(['person', 'merge']),
          source: z.string(),
          claimed_at: z.iso.datetime(),
          claimed_by: z.string().nullable(),
        }),
      ),
    }),
  ),
  connections: z.array(
    z.object({
      channel: z.string(),
      source: z.string(),
      staff: z.string().nullable(),
      /** The group that it is to, as the source names it. */
      group_id: z.string().nullable(),
      begun_at: z.iso.datetime(),
      ended_at: z.iso.datetime().nullable(),
    }),
  ),
  /** The facts that decide the depth. */
  evidence: z.array(evidence),
  rfm: z
    .object({
      recency_days: z.number().int(),
      frequency: z.number().int(),
      monetary_minor: z.number().int(),
      r: z.number().int(),
      f: z.number().int(),
      m: z.number().int(),
      segment: z.string(),
    })
    .nullable(),
  interaction,
  /** Newest first, at most 50. */
  occasions_list: z.array(
    z.object({ occasion_at: z.iso.datetime(), orders: z.number().int(), net_minor: z.number().int() }),
  ),
  /** Newest first, at most 50; cause null: time alone. */
  changes: z.array(
    z.object({
      changed_at: z.iso.datetime(),
      from_depth: z.number().int(),
      to_depth: z.number().int(),
      cause_fact_id: z.number().int().nullable(),
    }),
  ),
})
export type Person = z.infer<typeof person>

/** What a person's timeline is made of: each a fact, or the end of one. */
export const timelineKind = z.enum([
  'order',
  'refund',
  'spread',
  'interaction',
  'review',
  'membership',
  'end_of_membership',
  'connection',
  'end_of_connection',
  'consent',
  'referral_claim',
  'referral',
])
export type TimelineKind = z.infer<typeof timelineKind>

export const timelineEntry = z.object({
  at: z.iso.datetime(),
  kind: timelineKind,
  fact_id: z.number().int(),
  source: z.string().nullable(),
  /** The source's own id, e.g. the order number. */
  external_id: z.string().nullable(),
  /** Type of an interaction, channel of a connection, purpose of a consent, campaign of a referral. */
  what: z.string().nullable(),
  /** Content of an interaction or referral, staff or group of a connection, evidence of a consent. */
  note: z.string().nullable(),
  /** Items of an order, at most three; item of an interaction or review; channel of a consent, none is every one. */
  items: z.array(z.string()),
  /** `granted` or `withdrawn` of a consent, `recommended` of a review, `voided` of a share whose order was refunded. */
  state: z.string().nullable(),
  rating: z.number().nullable(),
  /** Paid or refunded, minor units. */
  amount_minor: z.number().int().nullable(),
})
export type TimelineEntry = z.infer<typeof timelineEntry>

export const timelineQuery = z.object({
  as_of: z.iso.datetime({ offset: true }).optional(),
  /** Keyset: the `next` of the page before. */
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type TimelineQuery = z.infer<typeof timelineQuery>

/** Newest first. */
export const timelinePage = z.object({
  total: z.number().int(),
  entries: z.array(timelineEntry),
  next: z.string().nullable(),
})
export type TimelinePage = z.infer<typeof timelinePage>

/** One person as a program asks for them: who they are, by every identity that is known. */
export const knownPerson = person
  .pick({ person_id: true, key: true, key_kind: true, source: true, connections: true })
  .extend({ identities: z.array(plainIdentity) })
export type KnownPerson = z.infer<typeof knownPerson>

/** How a person stands: what a program acts on. */
export const personStanding = person.omit({ identities: true, connections: true, occasions_list: true, changes: true })
export type PersonStanding = z.infer<typeof personStanding>
