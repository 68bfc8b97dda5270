import { useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { Settings } from '../../api/settings-queries.ts'
import { currencyDigits } from '../../ui/format.ts'

/*
 * Thresholds that a brand sets: where fan tiers begin, and of RFM in place of fifths of the buyers. In the form each list is one text,
 * `5,20,60`, so that it is compared and reset like any other field; an empty one says that there are none.
 */

export const CUT_FIELDS = ['fan_tier_scores', 'rfm_recency_days', 'rfm_frequency', 'rfm_monetary_minor'] as const
export type CutField = (typeof CUT_FIELDS)[number]

/** The server's own limits; `digits` -1: those of the currency. `first` is what is there to change when fifths are given up. */
const CUTS = {
  fan_tier_scores: { size: 3, min: 0.01, max: 1_000_000, digits: 2, first: undefined },
  rfm_recency_days: { size: 4, min: 0, max: 36_600, digits: 0, first: '30,60,90,180' },
  rfm_frequency: { size: 4, min: 1, max: 1_000_000, digits: 0, first: '1,2,3,5' },
  rfm_monetary_minor: { size: 4, min: 0, max: 10_000_000_000, digits: -1, first: '100,300,1000,3000' },
} as const

const digitsOf = (field: CutField, currency: string) =>
  CUTS[field].digits === -1 ? currencyDigits(currency) : CUTS[field].digits

export function typedCuts(field: CutField, cuts: readonly number[] | null, currency: string): string {
  const unit = field === 'rfm_monetary_minor' ? 10 ** currencyDigits(currency) : 1
  return (cuts ?? []).map((cut) => String(cut / unit)).join(',')
}

export function cutsOf(field: CutField, typed: string, currency: string): number[] | null {
  if (typed === '') return null
  const unit = field === 'rfm_monetary_minor' ? 10 ** currencyDigits(currency) : 1
  return typed.split(',').map((text) => Math.round(Number(text) * unit * 100) / 100)
}

/** What is wrong with a list as it is typed, and where it is: the first of its numbers. */
export function cutsProblem(
  field: CutField,
  typed: string,
  currency: string,
): { at: number; says: 'brand.cut_number' | 'brand.cut_order'; min: number; digits: number } | undefined {
  if (typed === '') return undefined
  const { min, max } = CUTS[field]
  const digits = digitsOf(field, currency)
  const form = digits === 0 ? /^\d+$/ : new RegExp(`^\\d+(\\.\\d{1,${digits}})?$`)
  const texts = typed.split(',').map((text) => text.trim())
  const wrong = texts.findIndex((text) => !form.test(text) || Number(text) < min || Number(text) > max)
  if (wrong >= 0) return { at: wrong, says: 'brand.cut_number', min, digits }
  const fallen = texts.findIndex((text, index) => index > 0 && Number(text) <= Number(texts[index - 1]))
  return fallen >= 0 ? { at: fallen, says: 'brand.cut_order', min, digits } : undefined
}

interface CutRowProps {
  field: CutField
  value: string
  currency: Settings['currency']
  isDisabled: boolean
  onSay: (value: string) => void
}

/** One list of thresholds: of RFM with the choice between fifths of the buyers and the brand's own. */
export function CutRow({ field, value, currency, isDisabled, onSay }: CutRowProps) {
  const { t } = useTranslation()
  const id = useId()
  const { size, first } = CUTS[field]
  const problem = cutsProblem(field, value, currency ?? 'CNY')
  const isOwn = value !== ''
  const texts = isOwn ? value.split(',') : []
  const label = t(`brand.${field}`)
  return (
    <fieldset className="setting" aria-describedby={`${id}-hint`}>
      <legend className="visually-hidden">{label}</legend>
      <span className="setting-name" aria-hidden="true">
        {label}
      </span>
      <div>
        {first !== undefined && (
          <select
            aria-label={t('brand.cuts_by')}
            value={isOwn ? 'own' : 'fifths'}
            disabled={isDisabled}
            onChange={(event) => onSay(event.target.value === 'own' ? first : '')}
          >
            <option value="fifths">{t('brand.cuts_fifths')}</option>
            <option value="own">{t('brand.cuts_own')}</option>
          </select>
        )}
        {isOwn && (
          <div className="setting-cuts">
            {Array.from({ length: size }, (_, index) => cutName(field, index, t)).map((name, index) => (
              <label key={name}>
                <span>{name}</span>
                <input
                  type="text"
                  inputMode="decimal"
                  autoComplete="off"
                  value={texts[index] ?? ''}
                  disabled={isDisabled}
                  aria-invalid={problem?.at === index}
                  aria-describedby={`${id}-hint`}
                  onChange={(event) =>
                    // A comma would part it in two.
                    onSay(texts.with(index, event.target.value.replaceAll(/[,，\s]/g, '')).join(','))
                  }
                />
              </label>
            ))}
          </div>
        )}
        <p id={`${id}-hint`} className={problem ? 'form-problem' : 'note'}>
          {problem
            ? t(problem.digits > 0 && problem.says === 'brand.cut_number' ? 'brand.cut_decimal' : problem.says, problem)
            : t(isOwn ? `brand.${field}_hint` : 'brand.cuts_fifths_hint')}
        </p>
      </div>
    </fieldset>
  )
}

const TIER_KEYS = ['tier.follower', 'tier.active', 'tier.devoted'] as const

/** What a threshold parts: the tier that begins with it, or the score up to it. */
function cutName(field: CutField, index: number, t: ReturnType<typeof useTranslation>['t']): string {
  if (field === 'fan_tier_scores') return t('brand.cut_from', { tier: t(TIER_KEYS[index] ?? 'tier.follower') })
  return t('brand.cut_up_to', { score: field === 'rfm_recency_days' ? 5 - index : 1 + index })
}
