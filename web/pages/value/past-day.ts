import { withoutOpened } from '../../paths.ts'
import { instantOf, wallClock } from '../../ui/wall-clock.ts'

type Search = Record<string, unknown>

/** The instant of an address: a day of the brand's is its beginning. Undefined: it says none, and values of now are meant. */
export function instantOfSearch(asOf: string | undefined, zone: string): string | undefined {
  if (asOf === undefined) return undefined
  return instantOf(`${asOf}T00:00`, zone) ?? new Date(asOf).toISOString()
}

/** The other way: a day where it is the beginning of one. */
export function searchOf(instant: string, zone: string): string {
  const day = wallClock(instant, zone).slice(0, 10)
  return instantOf(`${day}T00:00`, zone) === instant ? day : instant
}

/** The page as of a day, or of now, with nothing open beside it: who stood in a cell then may stand in another one. */
export function toDay(asOf: string | undefined): (now: Search) => Search {
  return (now) => {
    const { as_of: _asOf, ...rest } = withoutOpened(now)
    return asOf === undefined ? rest : { ...rest, as_of: asOf }
  }
}
