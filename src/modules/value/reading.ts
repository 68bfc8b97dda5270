import type { Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import { isInScope, isPerson } from '../customers/actions.ts'
import { type PersonRows, selectPersonRows } from '../intake/actions.ts'
import { missingLever } from './lever.ts'
import { selectSignals } from './lever-queries.ts'
import { cameSinceOf } from './past.ts'
import { PAST_OF_PEOPLE, type PastFit, selectPastFit } from './past-queries.ts'
import { fractionOf, LEVELS_MAX, splitValue } from './propagation.ts'
import { type FitRow, type LastFit, selectLastFit, selectRunDueAt } from './queries.ts'
import * as queries from './reading-queries.ts'
import { rhythmAt, shareShorter, turnsOf } from './rhythm.ts'
import type {
  AtRisk,
  CalibrationRow,
  CameSince,
  EquityReport,
  Estimate,
  FallbackReason,
  FittedOccasions,
  OccasionModel,
  PersonValue,
  ReferralTree,
  SpendModel,
  Unit,
  ValueCellPage,
  ValueCellQuery,
  ValueMatrix,
} from './schema.ts'
import { PAST, PRESENT, type ValueTables } from './tables-queries.ts'

/** The models as they were stored. */
function modelsOf(fit: FitRow) {
  return {
    unit: fit.unit as Unit,
    model_asked: fit.model_asked as OccasionModel,
    model: fit.model as OccasionModel,
    reason: fit.reason as FallbackReason | null,
    spend_model: fit.spend_model as SpendModel,
    spend_reason: fit.spend_reason as FallbackReason | null,
  }
}
const NO_MODELS = { unit: null, model_asked: null, model: null, reason: null, spend_model: null, spend_reason: null }

const NOBODY: queries.ScopedEquity = { people: 0, reachable: 0, expected_minor: 0, last_purchase_at: null }

const basisOf = (marginRate: number | null) => (marginRate === null ? 'revenue' : 'margin')

/** The values that are asked for: of the last run, or as of a past instant. */
interface OpenRun {
  readonly tables: ValueTables
  /** Undefined: no run has valued anybody, or none as of that instant. */
  readonly fit: LastFit | undefined
  /** The past run that is kept, whatever is asked for. */
  readonly past: PastFit | undefined
}

async function openRun(db: Sql, asOf: Date | undefined): Promise<OpenRun> {
  const past = await selectPastFit(db)
  if (!asOf) return { tables: PRESENT, fit: await selectLastFit(db), past }
  return { tables: PAST, fit: past?.fitted_at.getTime() === asOf.getTime() ? past : undefined, past }
}

/** What came since the past day of a run, of the people in view. */
async function readCameSince(
  db: Sql,
  tables: ValueTables,
  past: PastFit,
  scope: View['scope'],
): Promise<CameSince | null> {
  const came = cameSinceOf(past)
  if (!came || scope === 'everyone') return came ?? null
  return { ...came, ...(await queries.selectCame(db, tables, scope)), low_minor: null, high_minor: null }
}

/** Customer equity of the people in view, by the last run or as of a past instant, with its models. */
export async function readEquity(db: Sql, { scope }: View = FULL_VIEW, asOf?: Date): Promise<EquityReport> {
  const settings = await readSettings(db)
  const { tables, fit, past } = await openRun(db, asOf)
  const inView = fit ? await queries.selectEquity(db, tables, scope) : NOBODY
  const { people, reachable, expected_minor } = inView
  const isAll = fit !== undefined && scope === 'everyone'
  const isPast = asOf !== undefined && fit !== undefined && past !== undefined
  const estimate = fit?.occasions as Estimate<Record<string, number>> | undefined
  return {
    valued_at: fit?.fitted_at.toISOString() ?? null,
    worked_out_at: isPast ? past.worked_out_at.toISOString() : null,
    came_since: isPast ? await readCameSince(db, tables, past, scope) : null,
    kept_as_of: past?.fitted_at.toISOString() ?? null,
    last_purchase_at: inView.last_purchase_at?.toISOString() ?? null,
    currency: settings.currency ?? DEFAULT_CURRENCY,
    basis: basisOf(fit ? fit.margin_rate : settings.margin_rate),
    discount_rate_per_year: fit?.discount_rate_per_year ?? settings.discount_rate_per_year,
    people,
    reachable_people: isAll ? fit.reachable_people : reachable,
    customer_equity_minor: isAll ? fit.expected_minor : expected_minor,
    customer_equity_low_minor: isAll ? fit.expected_low_minor : null,
    customer_equity_high_minor: isAll ? fit.expected_high_minor : null,
    ...(fit ? modelsOf(fit) : NO_MODELS),
    parameters: estimate?.parameters ?? {},
    standard_errors: estimate?.standardErrors ?? {},
    log_likelihood: estimate?.logLikelihood ?? null,
    drift: fit?.drift ?? null,
    calibration: (fit?.calibration ?? []) as CalibrationRow[],
    distribution: fit ? await queries.selectTenths(db, tables, scope) : [],
  }
}

/** One person's value by the last run, where it comes from, and their rhythm as of `now`; or all of it as of a past instant. */
export async function readPersonValue(
  db: Sql,
  personId: number,
  now: Date,
  { scope }: View = FULL_VIEW,
  asOf?: Date,
): Promise<PersonValue | Refusal> {
  if (!(await isInScope(db, personId, scope)) || !(await isPerson(db, personId))) return noSuchPerson(personId)
  const settings = await readSettings(db)
  const at = asOf ?? now
  const { tables, fit, past } = await openRun(db, asOf)
  const isKept = asOf === undefined || fit !== undefined
  const [row, daysSince, chain, brought] = await Promise.all([
    isKept ? queries.selectPersonValue(db, tables, personId) : undefined,
    queries.selectDaysSince(db, personId, at, settings.zone),
    isKept ? queries.selectChain(db, tables, personId, scope) : [],
    isKept ? queries.selectBrought(db, tables, personId, settings.referral_share, scope) : [],
  ])
  const { reason = null, model = null, spend_model = null, spend_reason = null } = fit ? modelsOf(fit) : {}
  const beta = fractionOf(settings.referral_share.toFixed(4))
  /** Of somebody's own value, what goes to whom so many levels up. */
  const shareOf = (own: number, depth: number, levels: number) =>
    Number(splitValue(BigInt(own), Math.min(LEVELS_MAX, depth), beta)[levels] ?? 0n)
  const isValued = row?.valued_at != null
  const paced = fit && isValued && daysSince !== undefined ? rhythm(fit, row, daysSince, settings.period_days) : null
  const isWaiting = !isValued && daysSince !== undefined && asOf === undefined
  const dueAt = isWaiting ? await selectRunDueAt(db, now, settings) : undefined
  const signals = paced && paced.state !== 'in_rhythm' ? await selectSignals(db, personId, at) : undefined
  return {
    person_id: personId,
    valued_at: row?.valued_at?.toISOString() ?? null,
    next_valued_at: dueAt?.toISOString() ?? null,
    currency: settings.currency ?? DEFAULT_CURRENCY,
    basis: basisOf(fit ? fit.margin_rate : settings.margin_rate),
    model: isValued ? model : null,
    reason: isValued ? reason : null,
    spend_model: isValued ? spend_model : null,
    spend_reason: isValued ? spend_reason : null,
    repeats: row?.repeats ?? 0,
    last_days: row?.last_days ?? 0,
    watched_days: row?.watched_days ?? 0,
    mean_spend_minor: row?.mean_spend_minor ?? 0,
    p_alive: row?.p_alive ?? null,
    expected_occasions: row?.expected_occasions ?? 0,
    expected_minor: row?.expected_minor ?? 0,
    expected_low_minor: row?.expected_low_minor ?? 0,
    expected_high_minor: row?.expected_high_minor ?? 0,
    realised_minor: row?.realised_minor ?? 0,
    own_minor: row?.own_minor ?? 0,
    kept_minor: shareOf(row?.own_minor ?? 0, row?.tree_depth ?? 0, 0),
    allocated_minor: row?.allocated_minor ?? 0,
    influenced_minor: row?.influenced_minor ?? 0,
    came_since: row && past && asOf ? cameOfPerson(row, past) : null,
    rhythm: paced,
    lever: paced && signals ? missingLever(paced.state, signals) : null,
    chain,
    brought: brought.map(({ tree_depth, ...below }) => ({
      ...below,
      allocated_minor: shareOf(below.own_minor, tree_depth, below.levels),
    })),
  }
}

function cameOfPerson({ came_minor: came, known_expected_minor: expected }: queries.PersonRow, past: PastFit) {
  const since = cameSinceOf(past)
  if (!since || came === null || expected === null) return null
  return { ...since, came_minor: came, expected_minor: expected, low_minor: null, high_minor: null }
}

/** A tree that a screen can still show. */
const TREE_PEOPLE = 500

/** Whom a person brought, and whom those brought. */
export async function readReferralTree(
  db: Sql,
  personId: number,
  { scope }: View = FULL_VIEW,
  asOf?: Date,
): Promise<ReferralTree | Refusal> {
  if (!(await isInScope(db, personId, scope)) || !(await isPerson(db, personId))) return noSuchPerson(personId)
  const { tables, fit } = await openRun(db, asOf)
  const isKept = asOf === undefined || fit !== undefined
  const nodes = isKept ? await queries.selectTree(db, tables, personId, TREE_PEOPLE + 1, scope) : []
  return { person_id: personId, nodes: nodes.slice(0, TREE_PEOPLE), is_cut: nodes.length > TREE_PEOPLE }
}

function noSuchPerson(personId: number): Refusal {
  return refuse('missing', 'no_such_person', `There is no person ${personId}.`, 'Look the person up by key.')
}

function rhythm(
  fit: FitRow,
  row: queries.PersonRow,
  since: number,
  period: number,
): NonNullable<PersonValue['rhythm']> {
  const fitted = { model: fit.model, unit: fit.unit, estimate: fit.occasions } as FittedOccasions<'day'>
  const gaps = { x: row.repeats ?? 0, last: row.last_days ?? 0 }
  const turns = row.turns_days ?? turnsOf(fitted, gaps, period)
  const [late = period + 1] = turns
  const share = shareShorter(fitted, gaps, since)
  return { state: rhythmAt(turns, since), days_since: since, share_shorter: share, late_after_days: late - 1 }
}

/** People of each depth by thirds of transaction value and of propagation value. */
export async function readValueMatrix(db: Sql, { scope }: View = FULL_VIEW, asOf?: Date): Promise<ValueMatrix> {
  const { tables, fit } = await openRun(db, asOf)
  const cuts = fit && (await queries.selectCuts(db, tables))
  return {
    ...(cuts ? await queries.selectReferrals(db, tables, scope) : { claims: 0, referrals: 0 }),
    in_force_from: cuts?.in_force_from.toISOString() ?? null,
    own_cuts_minor: cuts?.own_minor ?? [],
    influenced_cuts_minor: cuts?.influenced_minor ?? [],
    cells: cuts ? await queries.selectMatrix(db, tables, scope) : [],
  }
}

/** The people of a cell, page by page. */
export async function listValueCell(
  db: Sql,
  cell: ValueCellQuery,
  { scope }: View = FULL_VIEW,
): Promise<ValueCellPage> {
  const { tables, fit } = await openRun(db, cell.as_of === undefined ? undefined : new Date(cell.as_of))
  if (!fit) return { people: [], next: null }
  const found = await queries.selectCell(db, tables, cell, scope)
  const people = found.slice(0, cell.limit)
  return { people, next: found.length > cell.limit ? (people.at(-1)?.person_id ?? null) : null }
}

/** Whom somebody should look after first. */
export async function listAtRisk(db: Sql, limit: number, now: Date, { scope }: View = FULL_VIEW): Promise<AtRisk> {
  const { zone } = await readSettings(db)
  const fit = await selectLastFit(db)
  const people = fit ? await queries.selectAtRisk(db, { now, zone, limit, scope }) : []
  return { valued_at: fit?.fitted_at.toISOString() ?? null, people }
}

/** All that is kept of a person here, as it stands. */
export function exportValues(db: Sql, personId: number): Promise<PersonRows> {
  return selectPersonRows(
    db,
    'value',
    ['people', 'propagation', 'referral_edges', 'settled', ...PAST_OF_PEOPLE],
    personId,
  )
}
