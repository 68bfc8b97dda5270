import { isDeepStrictEqual } from 'node:util'
import type { Actor } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isCurrency } from '../../platform/money.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { recordAudit } from '../audit/actions.ts'
import {
  clearRebuildDue,
  hasZone,
  lockSettings,
  selectFollowing,
  selectSettings,
  updateCurrency,
  updateSettings,
} from './queries.ts'
import {
  CUT_SETTINGS,
  DEFAULT_CURRENCY,
  REBUILDING_SETTINGS,
  type Settings,
  type SettingsAnswer,
  type SettingsChange,
} from './schema.ts'

export function readSettings(db: Sql): Promise<Settings> {
  return selectSettings(db)
}

/** Settings, and whether everyone's standing still has to follow the last change of them. */
export async function readSettingsAnswer(db: Sql): Promise<SettingsAnswer> {
  const { dueAt, followedAt } = await selectFollowing(db)
  return {
    ...(await selectSettings(db)),
    is_rebuilding: dueAt !== null,
    followed_at: followedAt?.toISOString() ?? null,
    rebuilding_settings: [...REBUILDING_SETTINGS],
  }
}

/**
 * Changes settings. Where standing rests on one of them a rebuild is due from then on, by the same transaction, so that a
 * server that ends before it still owes it: `refreshStanding` (relationship) does it. Refuses unknown_zone,
 * other_currency and cuts_not_ascending.
 */
export async function changeSettings(
  database: Database,
  wanted: SettingsChange,
  by: Actor,
  now: Date,
): Promise<SettingsAnswer | Refusal> {
  return database.transaction(async (tx) => {
    await lockSettings(tx)
    const before = await selectSettings(tx)
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
    const next: Settings = { ...before, ...given }
    const isChanged = (name: keyof Settings) => !isDeepStrictEqual(next[name], before[name])
    const fields = Object.keys(next).filter((name) => isChanged(name as keyof Settings))
    if (fields.includes('zone') && !(await hasZone(tx, next.zone))) {
      return refuse('invalid', 'unknown_zone', `"${next.zone}" is no time zone.`, 'Use one such as Asia/Shanghai.')
    }
    for (const name of CUT_SETTINGS) {
      const cuts = next[name]
      if (cuts && !cuts.every((cut, index) => index === 0 || cut > (cuts[index - 1] ?? cut))) {
        const given = `${name} is ${cuts.join(', ')}.`
        return refuse('invalid', 'cuts_not_ascending', given, 'Give each threshold above the one before it.')
      }
    }
    if (fields.includes('currency')) {
      const currency = await settleCurrency(tx, wanted.currency)
      if (isRefusal(currency)) return currency
    }
    if (fields.length > 0) {
      await updateSettings(tx, next, fields.some((name) => REBUILDING_SETTINGS.includes(name)) ? now : null)
    }
    // A request that changes nothing was made all the same.
    await recordAudit(tx, { actor: by, operation: 'settings_change', subjects: {}, fields }, now)
    return readSettingsAnswer(tx)
  })
}

/** Since when a rebuild is due; null: none is. */
export function readRebuildDue(db: Sql): Promise<Date | null> {
  return selectFollowing(db).then(({ dueAt }) => dueAt)
}

/** In the transaction of a rebuild that read the settings after `dueAt` was read. */
export function settleRebuild(tx: Sql, dueAt: Date, now: Date): Promise<void> {
  return clearRebuildDue(tx, dueAt, now)
}

/**
 * The currency that amounts of this brand are kept in. The first import fixes it; from then on another one is
 * refused, because adding pounds to yuan without a rate would be an invented figure.
 */
export async function settleCurrency(tx: Sql, wanted: string | undefined): Promise<string | Refusal> {
  if (wanted !== undefined && !isCurrency(wanted)) {
    const remedy = 'Write the code of ISO 4217: CNY, USD, EUR.'
    return refuse('invalid', 'unknown_currency', `"${wanted}" is no currency.`, remedy)
  }
  let { currency } = await selectSettings(tx)
  if (!currency) {
    // Of two first imports at once the later one waits here, and then finds what the other has said.
    await updateCurrency(tx, wanted ?? DEFAULT_CURRENCY)
    currency = (await selectSettings(tx)).currency
  }
  return agree(currency ?? DEFAULT_CURRENCY, wanted)
}

/** What `settleCurrency` would answer now, with nothing fixed. */
export async function expectCurrency(db: Sql, wanted: string | undefined): Promise<string | Refusal> {
  const { currency } = await selectSettings(db)
  return agree(currency ?? wanted ?? DEFAULT_CURRENCY, wanted)
}

function agree(settled: string, wanted: string | undefined): string | Refusal {
  if (wanted && wanted !== settled) {
    return refuse(
      'conflict',
      'other_currency',
      `The amounts are in ${wanted}, the brand's are in ${settled}.`,
      `Convert them to ${settled}, or import them into a brand of its own (--brand).`,
    )
  }
  return settled
}
