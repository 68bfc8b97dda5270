import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Mapping, UploadGuess } from '../../api/import-queries.ts'
import type { Draft } from './draft.ts'

interface MoreSettingsProps {
  draft: Draft
  guess: UploadGuess
  onChange: (draft: Draft) => void
  onSheet: (sheet: string) => void
}

/** What the columns do not say: who can be reached, and how dates and amounts are written. */
export function MoreSettings({ draft, guess, onChange, onSheet }: MoreSettingsProps) {
  const { t } = useTranslation()
  const { mapping, options } = draft
  const { sources } = guess
  const isOrders = mapping.kind === 'orders'
  const choose = (name: string, value: string) => {
    const { [name]: _, ...others } = options
    onChange({ ...draft, options: value === '' ? others : { ...others, [name]: value } })
  }
  const optionOf = (name: string) => options[name] ?? mapping.options?.[name] ?? ''
  return (
    <>
      <div className="map-head">
        {isOrders ? (
          <Choice
            label={t('map.connected_by')}
            hint={t('map.connected_hint')}
            value={optionOf('connected_by') || 'none'}
            onChoose={(value) => choose('connected_by', value)}
          >
            <option value="none">{t('map.connected_none')}</option>
            <option value="shop_account">{t('map.connected_shop')}</option>
          </Choice>
        ) : (
          <Choice
            label={t('map.own_id_source')}
            hint={t('map.own_id_source_hint')}
            value={optionOf('own_id_source')}
            onChoose={(value) => choose('own_id_source', value)}
          >
            <option value="">{t('map.own_id_source_own')}</option>
            {sources.map(({ source }) => (
              <option key={source} value={source}>
                {source}
              </option>
            ))}
          </Choice>
        )}
      </div>
      <details className="further">
        <summary>{t('map.more')}</summary>
        <div className="map-more">
          <Choice
            label={t('map.date_order')}
            value={mapping.date_order ?? 'ymd'}
            onChoose={(value) => onChange({ ...draft, mapping: withSaid(mapping, 'date_order', value) })}
          >
            <option value="ymd">{t('map.date_ymd')}</option>
            <option value="mdy">{t('map.date_mdy')}</option>
            <option value="dmy">{t('map.date_dmy')}</option>
          </Choice>
          <Said
            label={t('map.zone')}
            value={mapping.zone ?? ''}
            onSay={(zone) => onChange({ ...draft, mapping: withSaid(mapping, 'zone', zone) })}
          />
          {isOrders && (
            <>
              <Said
                label={t('map.currency')}
                value={mapping.currency ?? ''}
                onSay={(currency) =>
                  onChange({ ...draft, mapping: withSaid(mapping, 'currency', currency.toUpperCase()) })
                }
              />
              <Choice
                label={t('map.decimal')}
                value={mapping.decimal ?? ''}
                onChoose={(value) => onChange({ ...draft, mapping: withSaid(mapping, 'decimal', value) })}
              >
                <option value="">{t('map.decimal_auto')}</option>
                <option value="point">{t('map.decimal_point')}</option>
                <option value="comma">{t('map.decimal_comma')}</option>
              </Choice>
              <Choice
                label={t('map.duplicates')}
                value={optionOf('duplicates') || 'keep'}
                onChoose={(value) => choose('duplicates', value)}
              >
                <option value="keep">{t('map.duplicates_keep')}</option>
                <option value="merge">{t('map.duplicates_merge')}</option>
              </Choice>
              <Choice
                label={t('map.cancels')}
                value={optionOf('cancels') || 'reduce'}
                onChoose={(value) => choose('cancels', value)}
              >
                <option value="reduce">{t('map.cancels_reduce')}</option>
                <option value="drop">{t('map.cancels_drop')}</option>
              </Choice>
              <Choice
                label={t('map.zero_price')}
                value={optionOf('zero_price') || 'keep'}
                onChoose={(value) => choose('zero_price', value)}
              >
                <option value="keep">{t('map.zero_price_keep')}</option>
                <option value="drop">{t('map.zero_price_drop')}</option>
              </Choice>
            </>
          )}
          {!isOrders && (
            <>
              <Said label={t('map.corp')} value={optionOf('corp')} onSay={(value) => choose('corp', value)} />
              <Said label={t('map.app')} value={optionOf('app')} onSay={(value) => choose('app', value)} />
            </>
          )}
          <Said label={t('map.sheet')} value={draft.sheet} onSay={onSheet} />
        </div>
      </details>
    </>
  )
}

/** An empty field says nothing, and what was said before goes. */
function withSaid(mapping: Mapping, name: 'zone' | 'currency' | 'decimal' | 'date_order', value: string): Mapping {
  const { [name]: _, ...others } = mapping
  return value === '' ? others : { ...others, [name]: value }
}

interface ChoiceProps {
  label: string
  hint?: string
  value: string
  onChoose: (value: string) => void
  children: ReactNode
}

export function Choice({ label, hint, value, onChoose, children }: ChoiceProps) {
  return (
    <label className="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.target.value)}>
        {children}
      </select>
      {hint && <span className="choice-hint">{hint}</span>}
    </label>
  )
}

/** Said when the field is left, or by Enter: half a word is no zone, and every letter would read the file anew. */
function Said({ label, value, onSay }: { label: string; value: string; onSay: (value: string) => void }) {
  const [typed, setTyped] = useState(value)
  const say = () => {
    if (typed.trim() !== value) onSay(typed.trim())
  }
  return (
    <label className="choice">
      <span>{label}</span>
      <input
        type="text"
        value={typed}
        maxLength={60}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={say}
        onKeyDown={(event) => {
          if (event.key === 'Enter') say()
        }}
      />
    </label>
  )
}
