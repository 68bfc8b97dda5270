import { Temporal } from 'temporal-polyfill'
import type { FileTime } from './fields.ts'

const DAY_MS = 86_400_000
const DAYS_KEPT_MAX = 20_000

/**
 * Reads the times of a file as instants (ISO 8601 in UTC), wall-clock times in one zone. A clock time that comes twice
 * in autumn is the later one, and one that spring leaves out is moved on: as PostgreSQL reads them, so that files of all
 * kinds agree.
 *
 * @throws RangeError when there is no such zone.
 */
export function instantsIn(zone: string): (time: FileTime) => string {
  Temporal.PlainDate.from('2000-01-01').toZonedDateTime(zone)
  // Each distinct day is asked once: asked for each value, the zone took most of the time of an import.
  const offsets = new Map<string, number | undefined>()
  return (time) => {
    if ('instant' in time) {
      const [, local = '', sign = '', hours = '0', minutes = '0'] =
        /^(.*?)(?:Z|([+-])(\d{2}):?(\d{2})?)$/.exec(time.instant) ?? []
      const offset = (Number(hours) * 60 + Number(minutes || 0)) * 60_000
      return utc(local, sign === '-' ? -offset : offset)
    }
    const day = time.local.slice(0, 10)
    if (!offsets.has(day)) {
      if (offsets.size >= DAYS_KEPT_MAX) offsets.clear()
      offsets.set(day, offsetOf(day, zone))
    }
    const offset = offsets.get(day)
    if (offset !== undefined) return utc(time.local, offset)
    const found = Temporal.PlainDateTime.from(time.local.replace(' ', 'T')).toZonedDateTime(zone, {
      disambiguation: 'later',
    })
    return utc(time.local, found.offsetNanoseconds / 1e6, found.epochMilliseconds)
  }
}

/** Of a day on which the zone's clock does not change; undefined where it does. */
function offsetOf(day: string, zone: string): number | undefined {
  const date = Temporal.PlainDate.from(day)
  const [begin, end] = [date, date.add({ days: 1 })].map((edge) => edge.toZonedDateTime(zone))
  if (!begin || !end || begin.offsetNanoseconds !== end.offsetNanoseconds) return undefined
  return end.epochMilliseconds - begin.epochMilliseconds === DAY_MS ? begin.offsetNanoseconds / 1e6 : undefined
}

/** Local text and its offset as an instant, with the fraction that was written; at most microseconds. */
function utc(local: string, offsetMs: number, epochMs?: number): string {
  const [seconds = '', fraction = ''] = local.trim().split('.')
  const ms = epochMs === undefined ? Date.parse(`${seconds.replace(' ', 'T')}Z`) - offsetMs : epochMs
  const kept = fraction.replace(/0+$/, '')
  return `${new Date(ms).toISOString().slice(0, 19)}${kept ? `.${kept}` : ''}Z`
}
