import type { PeopleFilter } from './api/queries.ts'

/**
 * Every address of the console. State lives in the URL: what is open, with which filter and as of when, so that
 * back works and a link can be sent. Filters have the API's own names.
 */

export const LISTS = ['people', 'buyers', 'depth', 'lapsing', 'since', 'anonymous', 'unmatched'] as const
export type ListName = (typeof LISTS)[number]

/** Figures of the last 24 hours that people stand behind. */
export const SINCE_FIGURES = ['deepened', 'lapsed', 'ordered', 'refunded'] as const
export type SinceFigure = (typeof SINCE_FIGURES)[number]

export interface TodaySearch {
  list?: ListName
  depth?: number
  lapsing_days?: number
  since_yesterday?: SinceFigure
  person?: number
  as_of?: string
}

/** Takes what an address says and drops what makes no sense in it, so that a mistyped link still opens the page. */
export function readTodaySearch(raw: Record<string, unknown>): TodaySearch {
  const list = LISTS.find((name) => name === raw.list)
  const depth = whole(raw.depth, 0, 5)
  const lapsingDays = whole(raw.lapsing_days, 1, 366)
  const person = whole(raw.person, 1, Number.MAX_SAFE_INTEGER)
  const asOf = typeof raw.as_of === 'string' && !Number.isNaN(Date.parse(raw.as_of)) ? raw.as_of : undefined
  const since = SINCE_FIGURES.find((figure) => figure === raw.since_yesterday)
  const usable =
    (list !== 'depth' || depth !== undefined) &&
    (list !== 'lapsing' || lapsingDays !== undefined) &&
    (list !== 'since' || since !== undefined)
  return {
    ...(list && usable ? { list } : {}),
    ...(list === 'depth' && depth !== undefined ? { depth } : {}),
    ...(list === 'lapsing' && lapsingDays !== undefined ? { lapsing_days: lapsingDays } : {}),
    ...(list === 'since' && since !== undefined ? { since_yesterday: since } : {}),
    ...(person === undefined ? {} : { person }),
    ...(asOf === undefined ? {} : { as_of: asOf }),
  }
}

function whole(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined
}

/** What opens beside the page. */
export type Opened = Omit<TodaySearch, 'as_of'>

export const opens = {
  people: { list: 'people' },
  buyers: { list: 'buyers' },
  anonymous: { list: 'anonymous' },
  unmatched: { list: 'unmatched' },
  depth: (depth: number): Opened => ({ list: 'depth', depth }),
  lapsing: (days: number): Opened => ({ list: 'lapsing', lapsing_days: days }),
  since: (figure: SinceFigure): Opened => ({ list: 'since', since_yesterday: figure }),
  person: (personId: number): Opened => ({ person: personId }),
} as const

/** The API's filter for an opened list; undefined for the two that have nobody behind them. */
export function filterOf(search: TodaySearch): PeopleFilter | undefined {
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
    case 'anonymous':
    case 'unmatched':
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
