import { useBrandFormat } from '../../ui/brand-format.tsx'
import { searchOf } from './past-day.ts'

/** How a past instant is told: by its day where it is the beginning of one. */
export function useThen(): (instant: string) => string {
  const { zone, instant: told } = useBrandFormat()
  return (instant) => {
    const said = searchOf(instant, zone)
    return said === instant ? told(instant) : said
  }
}
