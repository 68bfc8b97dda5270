import type { SegmentSize } from '../../api/segment-queries.ts'

const DAY_MS = 86_400_000

/**
 * The size at the end of each day: the API tells of the days on which it changed, and between them it stays.
 * @param today the last day, `2026-03-05`; its size is the one of now.
 */
export function sizeByDay(sizes: readonly SegmentSize[], today: string, daysMax: number): SegmentSize[] {
  const [first] = sizes
  if (!first) return []
  const end = Date.parse(today)
  const days: SegmentSize[] = []
  for (let at = Math.max(Date.parse(first.day), end - (daysMax - 1) * DAY_MS); at <= end; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10)
    const size = sizes.findLast((change) => change.day <= day)?.size
    if (size !== undefined) days.push({ day, size })
  }
  return days
}
