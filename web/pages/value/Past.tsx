import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { type FormEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BrandInfo } from '../../api/queries.ts'
import type { Equity } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { wallClock } from '../../ui/wall-clock.ts'
import { searchOf, toDay } from './past-day.ts'
import { useThen } from './then.ts'
import { ValueRun } from './ValueRun.tsx'

const DAY_MS = 86_400_000

interface DaysProps {
  asOf: string | undefined
  brand: BrandInfo
  equity: Equity
}

/** Any past day, the one that is kept at hand: the address says which, so that it can be sent. */
export function Days({ asOf, brand, equity: { kept_as_of: kept } }: DaysProps) {
  const { t } = useTranslation()
  const then = useThen()
  return (
    <div className="value-days">
      {/* Another day is another form: what was being typed belongs to the one before. */}
      <DayForm key={asOf} asOf={asOf} brand={brand} />
      {kept !== null && kept !== asOf && (
        <Link to="." search={toDay(searchOf(kept, brand.zone))} activeProps={{}} resetScroll={false}>
          {t('value.day_kept', { past: then(kept) })}
        </Link>
      )}
    </div>
  )
}

function DayForm({ asOf, brand: { zone, now } }: { asOf: string | undefined; brand: BrandInfo }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const problemId = useId()
  const shown = asOf === undefined ? '' : wallClock(asOf, zone).slice(0, 10)
  const [typed, setTyped] = useState(shown)
  const today = wallClock(now, zone).slice(0, 10)
  const isFuture = typed > today
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (typed !== '' && !isFuture) void navigate({ to: '.', search: toDay(typed), resetScroll: false })
  }
  return (
    <form className="free-span value-day" onSubmit={submit}>
      <label>
        <span>{t('value.day')}</span>
        <input
          type="date"
          value={typed}
          max={today}
          aria-invalid={isFuture}
          aria-describedby={isFuture ? problemId : undefined}
          onChange={(event) => setTyped(event.target.value)}
        />
      </label>
      {typed !== shown && typed !== '' && (
        <Button htmlType="submit" disabled={isFuture}>
          {t('value.day_show')}
        </Button>
      )}
      {isFuture && (
        <p id={problemId} className="form-problem" role="alert">
          {t('value.day_future')}
        </p>
      )}
    </form>
  )
}

/** Where nobody has bought for a whole period, as of a history that was imported: everybody looks gone, and the day to look at is another. */
export function LongSilent({ equity }: { equity: Equity }) {
  const { t } = useTranslation()
  const { count, day, periodDays, zone } = useBrandFormat()
  const { last_purchase_at: last, valued_at: valued } = equity
  if (last === null || valued === null || Date.parse(valued) - Date.parse(last) <= periodDays * DAY_MS) return null
  const dayAfter = wallClock(new Date(Date.parse(last) + DAY_MS).toISOString(), zone).slice(0, 10)
  return (
    <p className="value-notice">
      {t('value.silent', { last: day(last), days: count(periodDays) })}{' '}
      <Link to="." search={toDay(dayAfter)} activeProps={{}} resetScroll={false}>
        {t('value.day_kept', { past: dayAfter })}
      </Link>
    </p>
  )
}

/** Over everything that is of a past day: that it is, when it was worked out, and the way back. */
export function PastNotice({ asOf, equity }: { asOf: string; equity: Equity }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const then = useThen()
  const workedOut = equity.worked_out_at
  return (
    <p className="value-notice" role="status">
      <strong>{t('value.then_title', { past: then(asOf) })}</strong>
      {workedOut !== null && t('sentence.comma') + t('value.then_note', { at: instant(workedOut) })} <BackToNow />
    </p>
  )
}

function BackToNow() {
  const { t } = useTranslation()
  return (
    <Link to="." search={toDay(undefined)} activeProps={{}} resetScroll={false}>
      {t('value.then_back')}
    </Link>
  )
}

/** Nobody was valued as of that day yet, or another day has taken its place. */
export function NotValuedThen({ asOf, equity }: { asOf: string; equity: Equity }) {
  const { t } = useTranslation()
  const then = useThen()
  const kept = equity.kept_as_of
  return (
    <section className="not-valued" aria-labelledby="not-valued-title">
      <h2 id="not-valued-title">{t('value.then_none_title', { past: then(asOf) })}</h2>
      <p>{t('value.then_none')}</p>
      {kept !== null && <p className="soft">{t('value.then_kept', { past: then(kept) })}</p>}
      <ValueRun run={equity.run} asOf={asOf} isFirst />
      <p>
        <BackToNow />
      </p>
    </section>
  )
}
