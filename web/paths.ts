import type { PeopleFilter } from './api/queries.ts'

/**
 * Every address of the console. State lives in the URL: what is open, with which filter and as of when, so that
 * back works and a link can be sent. Filters have the API's own names.
 */

export const LISTS = [
  'people',
  'buyers',
  'depth',
  'lapsing',
  'since',
  'anonymous',
  'unmatched',
  'moved',
  'standing',
  'valued',
] as const
export type ListName = (typeof LISTS)[number]

/** Figures of the last 24 hours that people stand behind. */
export const SINCE_FIGURES = ['deepened', 'lapsed', 'ordered', 'refunded'] as const
export type SinceFigure = (typeof SINCE_FIGURES)[number]

/** `none`: who has never bought has no segment. */
export const RFM_SEGMENTS = [
  'champions',
  'loyal_customers',
  'potential_loyalists',
  'new_customers',
  'promising',
  'need_attention',
  'about_to_sleep',
  'at_risk',
  'cant_lose',
  'hibernating',
  'none',
] as const
export type RfmSegment = (typeof RFM_SEGMENTS)[number]

export const FAN_TIERS = ['passer_by', 'follower', 'active', 'devoted'] as const
export type FanTier = (typeof FAN_TIERS)[number]

export const WAYS = ['up', 'down', 'any', 'all'] as const
export type Way = (typeof WAYS)[number]

export const CAUSES = [
  'order',
  'refund',
  'connection',
  'end_of_connection',
  'membership',
  'person',
  'interaction',
  'review',
  'spread',
  'spread_voided',
  'time',
] as const
export type Cause = (typeof CAUSES)[number]

/** What opens beside a page: a list, a person, or a person in front of a list. */
export interface Opened {
  list?: ListName
  depth?: number
  lapsing_days?: number
  since_yesterday?: SinceFigure
  rfm_segment?: RfmSegment
  from_depth?: number
  to_depth?: number
  moved?: Way
  cause?: Cause
  /** Thirds of transaction value and of propagation value. */
  transaction?: number
  propagation?: number
  person?: number
}

export interface TodaySearch extends Opened {
  as_of?: string
}

/** Takes what an address says and drops what makes no sense in it, so that a mistyped link still opens the page. */
export function readTodaySearch(raw: Record<string, unknown>): TodaySearch {
  const asOf = instant(raw.as_of)
  return { ...readOpened(raw), ...(asOf === undefined ? {} : { as_of: asOf }) }
}

/** What each list needs to know whom it is about; without it the address names no list. */
export function readOpened(raw: Record<string, unknown>): Opened {
  const list = LISTS.find((name) => name === raw.list)
  const person = whole(raw.person, 1, Number.MAX_SAFE_INTEGER)
  const opened = list && readList(list, raw)
  return { ...opened, ...(person === undefined ? {} : { person }) }
}

function readList(list: ListName, raw: Record<string, unknown>): Opened | undefined {
  switch (list) {
    case 'people':
    case 'buyers':
    case 'anonymous':
    case 'unmatched':
      return { list }
    case 'depth': {
      const depth = depthOf(raw.depth)
      return depth === undefined ? undefined : { list, depth }
    }
    case 'lapsing': {
      const days = whole(raw.lapsing_days, 1, 366)
      return days === undefined ? undefined : { list, lapsing_days: days }
    }
    case 'since': {
      const figure = SINCE_FIGURES.find((name) => name === raw.since_yesterday)
      return figure && { list, since_yesterday: figure }
    }
    case 'standing':
      return { list, ...defined({ depth: depthOf(raw.depth), rfm_segment: segmentOf(raw.rfm_segment) }) }
    case 'valued': {
      const depth = depthOf(raw.depth)
      const transaction = whole(raw.transaction, 1, 3)
      const propagation = whole(raw.propagation, 1, 3)
      return depth === undefined || transaction === undefined || propagation === undefined
        ? undefined
        : { list, depth, transaction, propagation }
    }
    case 'moved':
      return {
        list,
        ...defined({
          from_depth: depthOf(raw.from_depth),
          to_depth: depthOf(raw.to_depth),
          moved: WAYS.find((way) => way === raw.moved),
          cause: CAUSES.find((cause) => cause === raw.cause),
        }),
      }
  }
}

/** The search of a page without what stands beside it. */
export function withoutOpened(search: Record<string, unknown>): Record<string, unknown> {
  const {
    list,
    depth,
    lapsing_days,
    since_yesterday,
    rfm_segment,
    from_depth,
    to_depth,
    moved,
    cause,
    transaction,
    propagation,
    person,
    ...rest
  } = search
  return rest
}

/** The span of the page, two instants; without them the page chooses one. */
export interface RelationshipSearch extends Opened {
  from?: string
  to?: string
  /** A chart shown as the table behind it. */
  table?: boolean
}

export function readRelationshipSearch(raw: Record<string, unknown>): RelationshipSearch {
  const table = raw.table === true || raw.table === 'true' ? true : undefined
  return { ...readOpened(raw), ...defined({ from: instant(raw.from), to: instant(raw.to), table }) }
}

/** What stands beside the Value page, as of when its values are, and whether its chart is shown as the table behind it. */
export interface ValueSearch extends Opened {
  table?: boolean
  /** The beginning of a day of the brand's, `2011-12-01`, or an instant; without it values of now. */
  as_of?: string
}

export function readValueSearch(raw: Record<string, unknown>): ValueSearch {
  return { ...readOpened(raw), ...defined({ table: yesOrNo(raw.table) || undefined, as_of: instant(raw.as_of) }) }
}

/** The filter of the People page; `person` stands beside it. */
export interface PeopleSearch {
  search?: string
  depth?: number
  rfm_segment?: RfmSegment
  fan_tier?: FanTier
  lapsing_days?: number
  buyers?: boolean
  /** The number of a tag. */
  tag?: number
  person?: number
}

export function readPeopleSearch(raw: Record<string, unknown>): PeopleSearch {
  // The router reads `search=0042` as it stands and `search=42` as a number.
  const text = typeof raw.search === 'number' ? String(raw.search) : raw.search
  return defined({
    search: typeof text === 'string' && text.trim() !== '' ? text.slice(0, 200) : undefined,
    depth: depthOf(raw.depth),
    rfm_segment: segmentOf(raw.rfm_segment),
    fan_tier: FAN_TIERS.find((tier) => tier === raw.fan_tier),
    lapsing_days: whole(raw.lapsing_days, 1, 366),
    buyers: yesOrNo(raw.buyers),
    tag: whole(raw.tag, 1, Number.MAX_SAFE_INTEGER),
    person: whole(raw.person, 1, Number.MAX_SAFE_INTEGER),
  })
}

/** Which entries of the audit log. */
export interface AuditSearch {
  operation?: string
  actor_id?: string
}

export function readAuditSearch(raw: Record<string, unknown>): AuditSearch {
  // The router reads an id of digits as a number.
  const actor = typeof raw.actor_id === 'number' ? String(raw.actor_id) : raw.actor_id
  return defined({
    operation: typeof raw.operation === 'string' && /^[a-z_]{1,60}$/.test(raw.operation) ? raw.operation : undefined,
    actor_id: typeof actor === 'string' && /^[\w-]{1,60}$/.test(actor) ? actor : undefined,
  })
}

function whole(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined
}

function yesOrNo(value: unknown): boolean | undefined {
  if (value === true || value === 'true') return true
  return value === false || value === 'false' ? false : undefined
}

function depthOf(value: unknown): number | undefined {
  return whole(value, 0, 5)
}

function segmentOf(value: unknown): RfmSegment | undefined {
  return RFM_SEGMENTS.find((segment) => segment === value)
}

function instant(value: unknown): string | undefined {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined
}

type Defined<Given> = { [Name in keyof Given]?: Exclude<Given[Name], undefined> }

/** Leaves out what is not said: an `as_of=undefined` in an address would mean something. */
export function defined<Given extends object>(given: Given): Defined<Given> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<Given>
}

export const opens = {
  people: { list: 'people' },
  buyers: { list: 'buyers' },
  anonymous: { list: 'anonymous' },
  unmatched: { list: 'unmatched' },
  depth: (depth: number): Opened => ({ list: 'depth', depth }),
  lapsing: (days: number): Opened => ({ list: 'lapsing', lapsing_days: days }),
  since: (figure: SinceFigure): Opened => ({ list: 'since', since_yesterday: figure }),
  standing: (depth: number | undefined, segment: RfmSegment | undefined): Opened => ({
    list: 'standing',
    ...defined({ depth, rfm_segment: segment }),
  }),
  valued: (depth: number, transaction: number, propagation: number): Opened => ({
    list: 'valued',
    depth,
    transaction,
    propagation,
  }),
  flow: (fromDepth: number | undefined, toDepth: number | undefined): Opened => ({
    list: 'moved',
    ...(fromDepth === undefined && toDepth === undefined
      ? { moved: 'all' }
      : defined({ from_depth: fromDepth, to_depth: toDepth })),
  }),
  moved: (way: Way, cause?: Cause): Opened => ({ list: 'moved', moved: way, ...defined({ cause }) }),
  person: (personId: number): Opened => ({ person: personId }),
} as const

/** The API's filter for an opened list; undefined for those that another question answers, or none. */
export function filterOf(search: Opened): PeopleFilter | undefined {
  switch (search.list) {
    case 'people':
      return {}
    case 'buyers':
      return { buyers: 'true' }
    case 'depth':
      return search.depth === undefined ? undefined : { depth: search.depth }
    case 'lapsing':
      return search.lapsing_days === undefined ? undefined : { lapsing_days: search.lapsing_days }
    case 'since':
      return search.since_yesterday === undefined ? undefined : { since_yesterday: search.since_yesterday }
    case 'standing':
      return defined({ depth: search.depth, rfm_segment: search.rfm_segment })
    case 'anonymous':
    case 'unmatched':
    case 'moved':
    case 'valued':
    case undefined:
      return undefined
  }
}

/** Where to go after signing in: an address of this console, never one that leaves it. */
export function safeReturn(raw: unknown): string {
  return typeof raw === 'string' && raw.startsWith('/') && !/^\/[/\\]/.test(raw) ? raw : '/'
}

/** Commands people are told to run; the same words as `./perennial --help`. */
export const COMMANDS = {
  import: './perennial import orders.csv',
  signIn: './perennial sign-in',
} as const
