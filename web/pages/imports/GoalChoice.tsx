import { useTranslation } from 'react-i18next'
import type { UploadGuess } from '../../api/import-queries.ts'
import type { Draft } from './draft.ts'
import { Choice } from './MoreSettings.tsx'

interface GoalChoiceProps {
  draft: Draft
  guess: UploadGuess
  /** Somebody tried to import: what is missing is said. */
  isAsked: boolean
  onChange: (draft: Draft) => void
}

/** Those that shops of one's customers keep their prices in; any other is written into a mapping. */
const CURRENCIES = ['CNY', 'HKD', 'MOP', 'TWD', 'USD', 'EUR', 'GBP', 'JPY', 'KRW', 'SGD', 'MYR', 'THB', 'AUD', 'CAD']

/** Into which brand a file goes, and what is fixed by a brand's first file. */
export function GoalChoice({ draft, guess, isAsked, onChange }: GoalChoiceProps) {
  const { t, i18n } = useTranslation()
  const { target } = guess
  const { isIntoDemo, newBrand, mapping } = draft
  const isNew = !isIntoDemo && newBrand !== undefined
  const isFirst = isNew || (!isIntoDemo && target.currency === null)
  const choose = (goal: string) => {
    const name = goal === 'new' ? (newBrand ?? '') : undefined
    const source = draft.source || (goal === 'new' ? mapping.source : '')
    onChange({ ...draft, isIntoDemo: goal === 'demo', newBrand: name, source })
  }
  const currency = mapping.currency ?? 'CNY'
  const names = new Intl.DisplayNames(i18n.language, { type: 'currency' })
  return (
    <div className="map-head">
      <Choice
        label={t('goal.label')}
        {...(isNew || isIntoDemo || target.currency === null
          ? {}
          : { hint: t('goal.keeps', { currency: target.currency }) })}
        value={isIntoDemo ? 'demo' : isNew ? 'new' : 'own'}
        onChoose={choose}
      >
        {!target.is_new && <option value="own">{target.name}</option>}
        <option value="new">{t(target.is_new ? 'goal.first' : 'goal.new')}</option>
        {target.demo_name !== null && <option value="demo">{t('map.demo_mix')}</option>}
      </Choice>
      {isNew && (
        <label className="choice">
          <span>{t('goal.name')}</span>
          <input
            type="text"
            value={newBrand}
            maxLength={60}
            autoComplete="off"
            aria-invalid={isAsked && newBrand.trim() === ''}
            onChange={(event) => onChange({ ...draft, newBrand: event.target.value })}
          />
          <span className="choice-hint">{t('goal.name_hint')}</span>
        </label>
      )}
      {isFirst && mapping.kind === 'orders' && !('currency' in mapping.columns) && (
        <Choice
          label={t('goal.currency')}
          hint={t('goal.currency_hint')}
          value={currency}
          onChoose={(value) => onChange({ ...draft, mapping: { ...mapping, currency: value } })}
        >
          {[...new Set([currency, ...CURRENCIES])].map((code) => (
            <option key={code} value={code}>
              {code} {names.of(code)}
            </option>
          ))}
        </Choice>
      )}
    </div>
  )
}
