import { mkdir } from 'node:fs/promises'
import { Temporal } from 'temporal-polyfill'
import { readSettings } from '../modules/brand/actions.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/db.ts'
import { type Brand, type Installation, openInstallation } from '../platform/installation.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { isPassing } from './import-into.ts'

/** What a command line ends with. */
export const EXIT = { done: 0, failed: 1, usage: 2, doneWithRejects: 3 } as const

/** The command line itself is wrong: exit code 2, nothing was done. */
export class UsageError extends Error {}

export type Flags = Readonly<
  Record<
    string,
    { readonly type: 'string' | 'boolean'; readonly multiple?: boolean; readonly value?: string; readonly help: string }
  >
>

export interface CommandInput {
  readonly config: Config
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

export interface Answer {
  /** Snake_case, as docs/guide describes it. */
  readonly json: unknown
  /** The same for people, ending in a newline. */
  readonly text: string
  readonly exit?: number
}

export interface Command {
  readonly name: string
  readonly summary: string
  readonly positionals: readonly string[]
  readonly flags: Flags
  readonly usesBrand: boolean
  run(input: CommandInput): Promise<Answer | Refusal>
}

/** Opens the installation for the time of one command; the embedded server is started when none runs, and stopped again. */
export async function withInstallation<T>(
  config: Config,
  work: (installation: Installation) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  await mkdir(config.home, { recursive: true })
  const installation = await openInstallation(config, 'command')
  if (isRefusal(installation)) return installation
  try {
    return await work(installation)
  } finally {
    await installation.close()
  }
}

/** The brand that --brand names, or the current one. */
export async function chooseBrand(installation: Installation, key: string | undefined): Promise<Brand | Refusal> {
  const brands = (await installation.brands()).filter((brand) => !isPassing(brand))
  const found = key ? brands.find((brand) => brand.key === key) : brands.find((brand) => brand.isCurrent)
  if (found) return found
  return key
    ? refuse(
        'missing',
        'no_such_brand',
        `There is no brand "${key}".`,
        `Brands are: ${brands.map((brand) => brand.key).join(', ') || 'none yet'}.`,
      )
    : refuse(
        'missing',
        'no_brand',
        'There is no brand yet.',
        'Import an order file (./perennial import), or start with the demo brand (npm start).',
      )
}

/** Work on the chosen brand's database. */
export function withBrand<T>(
  { config, values }: CommandInput,
  work: (database: Database, brand: Brand) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  return withInstallation(config, async (installation) => {
    const brand = await chooseBrand(installation, text(values.brand))
    if (isRefusal(brand)) return brand
    const database = await installation.openBrand(brand)
    // An import that was killed after its facts were in, or a lapse while nothing ran: questions come after it.
    await catchUp(database, systemClock)
    return work(database, brand)
  })
}

export function text(value: CommandInput['values'][string]): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/**
 * An instant from the command line: `2011-12-10` is the beginning of that day in the zone, `2011-12-10T12:50` that
 * wall-clock time there, `2011-12-10T12:50Z` (or +08:00) that instant.
 * @throws UsageError that shows the three forms.
 */
export function readInstant(flag: string, value: string | undefined, zone: string): Date | undefined {
  if (value === undefined) return undefined
  const iso = value.trim().replace(' ', 'T')
  try {
    if (/(Z|[+-]\d{2}:?\d{2})$/.test(iso) && iso.includes('T'))
      return new Date(Temporal.Instant.from(iso).epochMilliseconds)
    return new Date(Temporal.PlainDateTime.from(iso).toZonedDateTime(zone).epochMilliseconds)
  } catch {
    throw new UsageError(`--${flag} ${value} is no time: write 2011-12-10, 2011-12-10T12:50 or 2011-12-10T12:50Z.`)
  }
}

export const AS_OF = {
  type: 'string',
  value: 'TIME',
  help: 'as of this time: 2011-12-10 (its beginning), 2011-12-10T12:50, or with Z or +08:00',
} as const

/** What --as-of says in the brand's zone, and the present instant. */
export async function instants(
  database: Database,
  { values }: CommandInput,
): Promise<{ asOf: Date | undefined; now: Date }> {
  const { zone } = await readSettings(database.db)
  return { asOf: readInstant('as-of', text(values['as-of']), zone), now: systemClock.now() }
}

export function dayIn(zone: string, instant: string): string {
  return new Date(instant).toLocaleDateString('sv-SE', { timeZone: zone })
}

/** `2026-08-10 12:50` there. */
export function minuteIn(zone: string, instant: string): string {
  return new Date(instant).toLocaleString('sv-SE', { timeZone: zone }).slice(0, 16)
}

export function choice<T extends string>(
  flag: string,
  value: CommandInput['values'][string],
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const found = allowed.find((other) => other === value)
  if (!found) throw new UsageError(`--${flag} takes ${allowed.join(' or ')}, not "${String(value)}".`)
  return found
}

/** Rows under headers, numbers to the right. */
export function table(headers: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)))
  const widths = headers.map((header, column) =>
    Math.max(width(header), ...cells.map((row) => width(row[column] ?? ''))),
  )
  const isNumber = headers.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - width(cell))
        return isNumber[column] ? gap + cell : cell + gap
      })
      .join('  ')
      .trimEnd()
  return `${[line(headers), ...cells.map(line)].join('\n')}\n`
}

/** Columns that a text takes in a terminal: Chinese characters take two. */
function width(content: string): number {
  return [...content].reduce(
    (sum, character) => sum + (/[ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦]/u.test(character) ? 2 : 1),
    0,
  )
}
