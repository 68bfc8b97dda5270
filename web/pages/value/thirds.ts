export const THIRDS = [1, 2, 3] as const

/** The API says a number; anything else than a third shows as the lowest. */
export function thirdKey(third: number | undefined): `value.third_${1 | 2 | 3}` {
  return `value.third_${third === 3 || third === 2 ? third : 1}`
}
