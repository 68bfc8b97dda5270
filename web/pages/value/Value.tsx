import '../relationship/relationship.css'
import './value.css'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { BrandInfo } from '../../api/queries.ts'
import { type Equity, equityQuery } from '../../api/value-queries.ts'
import type { ValueSearch } from '../../paths.ts'
import { BrandFormatProvider, useBrandFormat } from '../../ui/brand-format.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { useMay } from '../../ui/session.ts'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { RelationshipTabs } from '../relationship/RelationshipTabs.tsx'
import { Calibration } from './Calibration.tsx'
import { CameSince } from './CameSince.tsx'
import { Limits } from './Limits.tsx'
import { NoMarginRate } from './NoMarginRate.tsx'
import { Days, LongSilent, NotValuedThen, PastNotice } from './Past.tsx'
import { PersonWorth } from './PersonWorth.tsx'
import { instantOfSearch } from './past-day.ts'
import { Tenths } from './Tenths.tsx'
import { useThen } from './then.ts'
import { ValueMatrices } from './ValueMatrices.tsx'
import { useRunEnds, ValueRun } from './ValueRun.tsx'

/** What the customers are worth together, how far that can be trusted, and who they are. */
export function Value({ search }: { search: ValueSearch }) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('relationship.title')}>
      {(brand) => {
        const asOf = instantOfSearch(search.as_of, brand.zone)
        return (
          <BrandFormatProvider brand={brand} asOf={asOf ?? brand.now}>
            <article className="relationship">
              <PageHeader brand={brand} title={t('relationship.title')} />
              <RelationshipTabs />
              <Report isTable={search.table === true} asOf={asOf} brand={brand} />
            </article>
            <PeopleDrawer
              search={search}
              asOf={asOf}
              lead={(personId) => <PersonWorth personId={personId} asOf={asOf} />}
            />
          </BrandFormatProvider>
        )
      }}
    </WithBrand>
  )
}

interface ReportProps {
  isTable: boolean
  /** Undefined: as of now. */
  asOf: string | undefined
  brand: BrandInfo
}

function Report({ isTable, asOf, brand }: ReportProps) {
  const { t } = useTranslation()
  const query = useQuery(equityQuery(asOf))
  useRunEnds(query.data?.run)
  return (
    <Loaded query={query} problem={t('value.problem')} lines={[40, 34, 47, 90, 72, 84, 66, 78]}>
      {(equity) =>
        equity.valued_at === null ? (
          <>
            {asOf !== undefined && <Days asOf={asOf} brand={brand} equity={equity} />}
            {asOf === undefined ? <NotValued run={equity.run} /> : <NotValuedThen asOf={asOf} equity={equity} />}
          </>
        ) : (
          <>
            <Days asOf={asOf} brand={brand} equity={equity} />
            {asOf === undefined ? <LongSilent equity={equity} /> : <PastNotice asOf={asOf} equity={equity} />}
            <CustomerEquity equity={equity} asOf={asOf} />
            <div className="value-pair">
              <Calibration equity={equity} isTable={isTable} />
              <Tenths equity={equity} />
            </div>
            <ValueMatrices asOf={asOf} />
            <Limits equity={equity} />
          </>
        )
      }
    </Loaded>
  )
}

function NotValued({ run }: { run: Equity['run'] }) {
  const { t } = useTranslation()
  const mayRun = useMay('values:run')
  return (
    <section className="not-valued" aria-labelledby="not-valued-title">
      <h2 id="not-valued-title">{t('value.none_title')}</h2>
      <p>{t(mayRun ? 'value.none' : 'value.none_wait')}</p>
      <ValueRun run={run} isFirst />
    </section>
  )
}

function CustomerEquity({ equity, asOf }: { equity: Equity; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { count, money, instant, share } = useBrandFormat()
  const then = useThen()
  const {
    customer_equity_low_minor: low,
    customer_equity_high_minor: high,
    model,
    reason,
    spend_model: spendModel,
    spend_reason: spendReason,
    drift,
  } = equity
  const isRevenue = equity.basis === 'revenue'
  return (
    <section aria-labelledby="equity-title">
      <div className="equity-head">
        <h2 id="equity-title">
          {t('value.equity')}{' '}
          {equity.valued_at !== null && (
            <span className="aside">
              {asOf === undefined
                ? t('value.valued', { at: instant(equity.valued_at) })
                : t('value.then', { past: then(asOf) })}
            </span>
          )}
        </h2>
        <ValueRun run={equity.run} asOf={asOf} />
      </div>
      <p className="value-lead">
        <span className="value value-equity">{money(equity.customer_equity_minor)}</span>
        <span>
          {low === null || high === null
            ? t('value.interval_none')
            : t('value.interval', { low: money(low), high: money(high) })}
        </span>
      </p>
      <p className="soft">
        {t(meaningOf(isRevenue, asOf !== undefined), {
          people: count(equity.reachable_people),
          rate: share(equity.discount_rate_per_year, 1),
        })}
      </p>
      <HeldBack equity={equity} />
      {equity.came_since !== null && <CameSince since={equity.came_since} basis={equity.basis} />}
      {asOf !== undefined && equity.came_since === null && <p className="soft">{t('value.came_unknown')}</p>}
      {isRevenue && <NoMarginRate />}
      <dl className="value-facts">
        <div>
          <dt>{t('value.model')}</dt>
          <dd>{model === null ? '–' : t(`value.model_${model}`)}</dd>
          {reason !== null && <dd className="soft">{t(`value.reason_${reason}`)}</dd>}
        </div>
        <div>
          <dt>{t('value.spend_model')}</dt>
          <dd>{spendModel === null ? '–' : t(`value.spend_${spendModel}`)}</dd>
          {spendReason !== null && <dd className="soft">{t(`value.reason_${spendReason}`)}</dd>}
        </div>
        {/* A past day has no fit before it. */}
        {asOf === undefined && (
          <div>
            <dt>{t('value.drift')}</dt>
            {drift === null ? (
              <dd className="soft">{t('value.drift_none')}</dd>
            ) : (
              <>
                <dd>{signedShare(drift, share)}</dd>
                <dd className="soft">{t('value.drift_note')}</dd>
              </>
            )}
          </div>
        )}
      </dl>
      {Object.keys(equity.parameters).length > 0 && <Parameters equity={equity} />}
    </section>
  )
}

/** From here on what was expected of the days held back is off by more than chance, and the interval says nothing of it. */
const OFF_MIN = 0.1

function HeldBack({ equity: { calibration } }: { equity: Equity }) {
  const { t } = useTranslation()
  const { count, share } = useBrandFormat()
  const sum = (of: (row: Equity['calibration'][number]) => number) =>
    calibration.reduce((total, row) => total + row.people * of(row), 0)
  const [expected, actual] = [sum((row) => row.expected), sum((row) => row.actual)]
  const off = actual > 0 ? expected / actual - 1 : 0
  if (Math.abs(off) < OFF_MIN) return null
  return (
    <p>
      {t(off > 0 ? 'value.off_above' : 'value.off_below', {
        days: count(calibration[0]?.days ?? 0),
        off: share(Math.abs(off), 1),
      })}
    </p>
  )
}

function meaningOf(isRevenue: boolean, isPast: boolean) {
  if (isPast) return isRevenue ? 'value.equity_meaning_then_revenue' : 'value.equity_meaning_then'
  return isRevenue ? 'value.equity_meaning_revenue' : 'value.equity_meaning'
}

function signedShare(ratio: number, share: (part: number, whole: number) => string): string {
  const text = share(Math.abs(ratio), 1)
  return ratio === 0 ? text : `${ratio > 0 ? '+' : '−'}${text}`
}

/** Of parameters, as their literature writes them. */
const DIGITS = 4

function Parameters({ equity }: { equity: Equity }) {
  const { t } = useTranslation()
  return (
    <details>
      <summary>{t('value.parameters')}</summary>
      <table className="plain causes" aria-label={t('value.parameters')}>
        <thead>
          <tr>
            <th scope="col">{t('value.parameter')}</th>
            <th scope="col" className="number">
              {t('value.estimate')}
            </th>
            <th scope="col" className="number">
              {t('value.standard_error')}
            </th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(equity.parameters).map(([name, estimate]) => {
            const error = equity.standard_errors[name] ?? null
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td className="number">{estimate.toFixed(DIGITS)}</td>
                <td className="number">
                  {error === null ? <span className="faint">{t('value.unknown')}</span> : error.toFixed(DIGITS)}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </details>
  )
}
