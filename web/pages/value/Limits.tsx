import { useTranslation } from 'react-i18next'
import type { Equity } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'

/** Everything the figures above leave out or do in another way than asked, in words. */
export function Limits({ equity }: { equity: Equity }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const { model, model_asked: asked, reason, spend_model: spendModel, spend_reason: spendReason } = equity
  const untold = Object.keys(equity.parameters).filter((name) => (equity.standard_errors[name] ?? null) === null)
  const unreachable = equity.people - equity.reachable_people
  const said = [
    ...(reason !== null && model !== null && asked !== null
      ? [
          t('value.limit_model', {
            asked: t(`value.name_${asked}`),
            used: t(`value.name_${model}`),
            reason: t(`value.reason_${reason}`),
          }),
        ]
      : []),
    ...(spendReason !== null && spendModel !== null
      ? [
          t('value.limit_spend', {
            asked: t('value.name_gamma-gamma'),
            used: t(`value.name_${spendModel}`),
            reason: t(`value.reason_${spendReason}`),
          }),
        ]
      : []),
    ...(untold.length > 0 ? [t('value.limit_errors', { names: untold.join(' · ') })] : []),
    ...(equity.calibration.length === 0 ? [t('value.calibration_none')] : []),
    ...(equity.customer_equity_low_minor === null ? [t('value.limit_interval')] : []),
    ...(unreachable > 0 ? [t('value.limit_depth_0', { people: count(unreachable) })] : []),
    ...(equity.basis === 'revenue' ? [t('value.basis_revenue')] : []),
  ]
  return (
    <section aria-labelledby="limits-title">
      <h2 id="limits-title">{t('value.limits')}</h2>
      {said.length === 0 ? (
        <p className="soft">{t('value.limit_none')}</p>
      ) : (
        <ul className="value-limits">
          {said.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
    </section>
  )
}
