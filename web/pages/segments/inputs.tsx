import { type ReactNode, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { currencyDigits } from '../../ui/format.ts'
import { CALENDARS, type Range, type TimeWindow, type Unit } from './fields.ts'

/** A field that people type into says what they typed; its value follows where it is one. */
function useTyped(value: string, onChange: (text: string) => void) {
  const [typed, setTyped] = useState(value)
  const [said, setSaid] = useState(value)
  // The value came from elsewhere: the address, or the JSON beside.
  useEffect(() => {
    if (value !== said) {
      setTyped(value)
      setSaid(value)
    }
  }, [value, said])
  return {
    value: typed,
    change: (text: string, asValue: string) => {
      setTyped(text)
      setSaid(asValue)
      onChange(asValue)
    },
  }
}

/** A label with its input; the input gets the id. */
export function Labelled({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId()
  return (
    <div className="builder-field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  )
}

interface NumberInputProps {
  label: string
  value: number | undefined
  unit: Unit
  min?: number | undefined
  onChange: (value: number | undefined) => void
}

export function NumberInput({ label, value, unit, min = 0, onChange }: NumberInputProps) {
  const { currency } = useBrandFormat()
  const { t } = useTranslation()
  const digits = unit === 'money' ? currencyDigits(currency) : 0
  const shown = value === undefined ? '' : String(value / 10 ** digits)
  const typed = useTyped(shown, (text) =>
    onChange(text === '' ? undefined : unit === 'score' ? Number(text) : Math.round(Number(text) * 10 ** digits)),
  )
  return (
    <Labelled label={label}>
      {(id) => (
        <span className="builder-number">
          <input
            id={id}
            type="number"
            inputMode="decimal"
            value={typed.value}
            min={unit === 'money' ? undefined : min}
            step={unit === 'money' || unit === 'score' ? 'any' : 1}
            onChange={(event) => {
              const { value: text } = event.target
              const number = Number(text)
              const isWhole = unit === 'money' || unit === 'score' || Number.isInteger(number)
              typed.change(text, text === '' || Number.isNaN(number) || !isWhole ? '' : String(number))
            }}
          />
          <span className="faint">
            {unit === 'money' ? currency : unit === 'score' ? '' : t(`unit.${unit}`, { value: '', count: 2 }).trim()}
          </span>
        </span>
      )}
    </Labelled>
  )
}

interface RangeInputProps {
  label: string
  value: Range & { readonly below?: number | undefined }
  unit: Unit
  min?: number | undefined
  isBelow?: boolean | undefined
  /** What it is a range of stands beside it already. */
  isNamed?: boolean
  /** Undefined: nothing is asked any more. */
  onChange: (value: Range | undefined) => void
}

export function RangeInput({ label, value, unit, min, isBelow, isNamed = false, onChange }: RangeInputProps) {
  const { t } = useTranslation()
  const high = isBelow ? 'below' : 'at_most'
  const set = (end: 'at_least' | 'at_most' | 'below', number: number | undefined) => {
    const ends = Object.entries({ ...value, [end]: number }).filter(([, one]) => one !== undefined)
    onChange(ends.length === 0 ? undefined : Object.fromEntries(ends))
  }
  return (
    <fieldset className="builder-range">
      <legend className={isNamed ? 'visually-hidden' : undefined}>{label}</legend>
      <NumberInput
        label={t('range.low')}
        value={value.at_least}
        unit={unit}
        min={min}
        onChange={(number) => set('at_least', number)}
      />
      <NumberInput
        label={t(isBelow ? 'range.high_below' : 'range.high')}
        value={value[high]}
        unit={unit}
        min={min}
        onChange={(number) => set(high, number)}
      />
    </fieldset>
  )
}

interface TextInputProps {
  label: string
  hint: string
  value: string
  onChange: (value: string | undefined) => void
}

export function TextInput({ label, hint, value, onChange }: TextInputProps) {
  const typed = useTyped(value, (text) => onChange(text === '' ? undefined : text))
  return (
    <Labelled label={label}>
      {(id) => (
        <input
          id={id}
          type="text"
          value={typed.value}
          placeholder={hint}
          maxLength={200}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => typed.change(event.target.value, event.target.value.trim())}
        />
      )}
    </Labelled>
  )
}

interface TextsInputProps {
  label: string
  hint: string
  value: readonly string[]
  onChange: (value: string[] | undefined) => void
}

const COMMAS = /[,，、;；\n]/

export function TextsInput({ label, hint, value, onChange }: TextsInputProps) {
  const { t } = useTranslation()
  const hintId = useId()
  const partsOf = (text: string) => [
    ...new Set(
      text
        .split(COMMAS)
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ),
  ]
  const separator = t('sentence.list')
  const typed = useTyped(value.join(separator), (text) => onChange(text === '' ? undefined : partsOf(text)))
  return (
    <Labelled label={label}>
      {(id) => (
        <>
          <input
            id={id}
            type="text"
            value={typed.value}
            placeholder={hint}
            aria-describedby={hintId}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => typed.change(event.target.value, partsOf(event.target.value).join(separator))}
          />
          <span id={hintId} className="visually-hidden">
            {hint}
          </span>
        </>
      )}
    </Labelled>
  )
}

interface WindowInputProps {
  label: string
  value: TimeWindow | undefined
  onChange: (value: TimeWindow | undefined) => void
}

const DAYS_AT_FIRST = 30

/** No window, the last days, a stretch of the calendar, or days chosen one by one. */
export function WindowInput({ label, value, onChange }: WindowInputProps) {
  const { t } = useTranslation()
  const { day, asOf } = useBrandFormat()
  const way =
    value === undefined
      ? 'always'
      : value.last_days !== undefined
        ? 'days'
        : (CALENDARS.find((name) => name === value.calendar) ?? ('last_days' in value ? 'days' : 'dates'))
  const choose = (chosen: string) => {
    const calendar = CALENDARS.find((name) => name === chosen)
    if (calendar) return onChange({ calendar })
    if (chosen === 'days') return onChange({ last_days: DAYS_AT_FIRST })
    if (chosen === 'dates') return onChange({ from: `${day(asOf).slice(0, 7)}-01` })
    return onChange(undefined)
  }
  const setDate = (end: 'from' | 'to', text: string) => {
    const said = text === '' ? undefined : text
    const from = end === 'from' ? said : value?.from
    const to = end === 'to' ? said : value?.to
    onChange({ ...(from ? { from } : {}), ...(to ? { to } : {}) })
  }
  return (
    <fieldset className="builder-range">
      <legend>{label}</legend>
      <label className="builder-field">
        <span className="visually-hidden">{label}</span>
        <select value={way} onChange={(event) => choose(event.target.value)}>
          <option value="always">{t('window.always')}</option>
          <option value="days">{t('window.by_days')}</option>
          {CALENDARS.map((name) => (
            <option key={name} value={name}>
              {t(`window.${name}`)}
            </option>
          ))}
          <option value="dates">{t('window.by_dates')}</option>
        </select>
      </label>
      {way === 'days' && (
        <NumberInput
          label={t('window.days')}
          value={value?.last_days}
          unit="days"
          min={1}
          // Cleared on the way to another number: still this way of saying when.
          onChange={(days) => onChange(days === undefined ? ({ last_days: null } as never) : { last_days: days })}
        />
      )}
      {way === 'dates' &&
        (['from', 'to'] as const).map((end) => (
          <Labelled key={end} label={t(`window.${end}_label`)}>
            {(id) => (
              <input
                id={id}
                type="date"
                value={value?.[end]?.slice(0, 10) ?? ''}
                onChange={(event) => setDate(end, event.target.value)}
              />
            )}
          </Labelled>
        ))}
    </fieldset>
  )
}
