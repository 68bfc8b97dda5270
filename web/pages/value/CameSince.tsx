import { useTranslation } from 'react-i18next'
import type { Equity } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'

const YEAR_DAYS = 365
/** Room beyond the larger of both, so that neither ends at the edge. */
const ROOM = 1.12

/** What came after a past day, against the interval that was to hold it. */
export function CameSince({ since, basis }: { since: NonNullable<Equity['came_since']>; basis: Equity['basis'] }) {
  const { t } = useTranslation()
  const { count, day, money } = useBrandFormat()
  const { low_minor: low, high_minor: high, came_minor: came, expected_minor: expected } = since
  const isWhole = since.days >= YEAR_DAYS
  const verdict = low === null || high === null ? undefined : came < low ? 'below' : came > high ? 'above' : 'inside'
  const span = t(isWhole ? 'value.came_year' : 'value.came_part', {
    days: count(Math.round(since.days)),
    until: day(since.until),
  })
  return (
    <div className="came-since">
      <h3>
        {t(basis === 'revenue' ? 'value.came_title_revenue' : 'value.came_title')} <span className="aside">{span}</span>
      </h3>
      <p className="value-lead">
        <span className="value came-figure">{money(came)}</span>
        <span>
          {low === null || high === null
            ? t('value.came_expected', { expected: money(expected) })
            : t('value.came_interval', { expected: money(expected), low: money(low), high: money(high) })}
          {verdict !== undefined && (
            <>
              {' '}
              <strong>{t(`value.came_${verdict}`)}</strong>
            </>
          )}
        </span>
      </p>
      {low !== null && high !== null && (
        <Drawn
          low={low}
          high={high}
          expected={expected}
          came={came}
          label={t('value.came_drawn', { low: money(low), high: money(high), came: money(came) })}
        />
      )}
      <p className="soft">{t('value.came_note')}</p>
    </div>
  )
}

interface DrawnProps {
  low: number
  high: number
  expected: number
  came: number
  label: string
}

/** The interval, the middle of it, and what came, from zero on. */
function Drawn({ low, high, expected, came, label }: DrawnProps) {
  const { t } = useTranslation()
  const most = Math.max(1, high, came) * ROOM
  const at = (minor: number) => `${(100 * Math.max(0, minor)) / most}%`
  return (
    <div className="came-drawn" role="img" aria-label={label}>
      <span className="came-band" style={{ insetInlineStart: at(low), inlineSize: at(high - low) }} />
      <span className="came-expected" style={{ insetInlineStart: at(expected) }} />
      <span className="came-point" style={{ insetInlineStart: at(came) }} />
      <span className="came-name" style={{ insetInlineStart: at(came) }}>
        {t('value.came_point')}
      </span>
    </div>
  )
}
