import { createContext, useContext } from 'react'
import { type Opened, withoutOpened } from '../paths.ts'

type Search = Record<string, unknown>

/**
 * What of a page's address stays when something is opened beside it or closed. The People page gives another one: its
 * filter has the names that a list beside another page has.
 */
export const KeptBeside = createContext<(now: Search) => Search>(withoutOpened)

/** How an address changes when something opens beside the page; `{}` closes. */
export function useBeside(): (opened: Opened) => (now: Search) => Search {
  const kept = useContext(KeptBeside)
  return (opened) => (now) => ({ ...kept(now), ...opened })
}
