/** The brand's clock on the wall and instants, for fields in which people write a time. */

/** `2026-03-05T14:20`, as a field of type datetime-local has it. */
export function wallClock(instant: string, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
    .format(new Date(instant))
    .replace(' ', 'T')
}

/**
 * The instant at which the clock of the zone shows it; undefined when it is no time. Of a time that comes twice in autumn
 * it is one of both, and one that spring leaves out is moved by the hour.
 */
export function instantOf(wall: string, zone: string): string | undefined {
  const asUtc = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d$/.test(wall) ? Date.parse(`${wall}:00Z`) : Number.NaN
  if (Number.isNaN(asUtc)) return undefined
  // The offset at a first guess is that of the answer, except within hours of a change of the clock: so twice.
  let at = asUtc
  for (let step = 0; step < 2; step += 1) at = asUtc - offsetAt(at, zone)
  return new Date(at).toISOString()
}

function offsetAt(at: number, zone: string): number {
  return Date.parse(`${wallClock(new Date(at).toISOString(), zone)}:00Z`) - Math.floor(at / 60_000) * 60_000
}

/** The calendar month before the one of `now`, from its first instant to the next month's. */
export function lastMonth(now: string, zone: string): { from: string; to: string } {
  const [year = 0, month = 0] = wallClock(now, zone).split(/[-T]/).map(Number)
  const firstOf = (monthsBack: number) => new Date(Date.UTC(year, month - 1 - monthsBack, 1)).toISOString().slice(0, 16)
  return { from: instantOf(firstOf(1), zone) ?? now, to: instantOf(firstOf(0), zone) ?? now }
}
