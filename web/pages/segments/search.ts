import { defined } from '../../paths.ts'
import { type Definition, isDefinition } from './definition.ts'

declare module '@tanstack/react-router' {
  interface HistoryState {
    /** What is being written, where it is too long for the address. */
    draft?: Definition
  }
}

/** Of one header line; servers and proxies take 8 to 16 kB of headers in all, and a reload sends the address in one. */
const ADDRESS_CHARACTERS_MAX = 6000

export function isTooLong(definition: Definition): boolean {
  return encodeURIComponent(JSON.stringify(definition)).length > ADDRESS_CHARACTERS_MAX
}

/** What is being written stands in the address, so that a link to it can be sent. */
export interface BuilderSearch {
  definition?: Definition
  name?: string
  json?: boolean
  person?: number
}

export function readBuilderSearch(raw: Record<string, unknown>): BuilderSearch {
  return defined({
    definition: isDefinition(raw.definition) ? raw.definition : undefined,
    // The router reads `name=2026` as a number.
    name: ['string', 'number'].includes(typeof raw.name) ? String(raw.name).slice(0, 120) : undefined,
    json: raw.json === true ? true : undefined,
    person: readPerson(raw.person),
  })
}

export interface SegmentSearch {
  tab?: 'history'
  table?: boolean
  person?: number
}

export function readSegmentSearch(raw: Record<string, unknown>): SegmentSearch {
  return defined({
    tab: raw.tab === 'history' ? 'history' : undefined,
    table: raw.table === true ? true : undefined,
    person: readPerson(raw.person),
  })
}

function readPerson(raw: unknown): number | undefined {
  const person = Number(raw)
  return Number.isSafeInteger(person) && person > 0 ? person : undefined
}
