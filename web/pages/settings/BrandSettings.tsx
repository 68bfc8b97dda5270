import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Settings, type SettingsChange, settingsQuery } from '../../api/settings-queries.ts'
import { instant, timeAgo } from '../../ui/format.ts'
import { Loaded } from '../../ui/Loaded.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { useLanguage } from '../../ui/preferences.ts'
import { useMay } from '../../ui/session.ts'
import { CUT_FIELDS, type CutField, CutRow, cutsOf, cutsProblem, typedCuts } from './CutSettings.tsx'
import { SettingsPage } from './SettingsPage.tsx'

/** The rules of the whole brand, each with what it decides, and what a change sets off before it is saved. */
export function BrandSettings() {
  const { t } = useTranslation()
  const query = useQuery(settingsQuery)
  const client = useQueryClient()
  const wasRebuilding = useRef(false)
  const isRebuilding = query.data?.is_rebuilding === true
  useEffect(() => {
    // What other pages have read since the change was by the old rules still.
    if (wasRebuilding.current && !isRebuilding) void client.invalidateQueries()
    wasRebuilding.current = isRebuilding
  }, [isRebuilding, client])
  return (
    <SettingsPage>
      <Loaded query={query} problem={t('settings.problem')}>
        {(settings) => (
          // What was saved elsewhere is another form.
          <SettingsForm
            key={JSON.stringify({ ...settings, is_rebuilding: false, followed_at: null })}
            settings={settings}
          />
        )}
      </Loaded>
    </SettingsPage>
  )
}

const FIELDS = [
  'zone',
  'currency',
  'period_days',
  'occasion_unit',
  'member_by_purchase',
  'spread_window',
  'recency_unit',
  'phone_claim_days',
  'margin_rate',
  'discount_rate_per_year',
  'referral_share',
  'attribution_days',
  ...CUT_FIELDS,
] as const
type Field = (typeof FIELDS)[number]
type Typed = Record<Field, string>

/** The server's own limits; it refuses with a sentence should they ever differ. */
const DAYS = {
  period_days: { min: 1, max: 3660 },
  phone_claim_days: { min: 1, max: 36_600 },
  attribution_days: { min: 0, max: 3650 },
} as const

/** Written in percent, kept as a share of four decimals. Without a margin rate value is shown as revenue. */
const SHARES = {
  margin_rate: { min: 0.01, isOptional: true },
  discount_rate_per_year: { min: 0, isOptional: false },
  referral_share: { min: 0, isOptional: false },
} as const

/** What customers are worth follows with the next run of values. */
const VALUED = ['margin_rate', 'discount_rate_per_year', 'referral_share', 'attribution_days'] as const

const percentOf = (share: number | null) => (share === null ? '' : String(Math.round(share * 10_000) / 100))
const shareOf = (percent: string) => Math.round(Number(percent) * 100) / 10_000

function typedOf(settings: Settings): Typed {
  return {
    zone: settings.zone,
    currency: settings.currency ?? '',
    period_days: String(settings.period_days),
    occasion_unit: settings.occasion_unit,
    member_by_purchase: String(settings.member_by_purchase),
    spread_window: settings.spread_window,
    recency_unit: settings.recency_unit,
    phone_claim_days: String(settings.phone_claim_days),
    margin_rate: percentOf(settings.margin_rate),
    discount_rate_per_year: percentOf(settings.discount_rate_per_year),
    referral_share: percentOf(settings.referral_share),
    attribution_days: String(settings.attribution_days),
    ...(Object.fromEntries(
      CUT_FIELDS.map((field) => [field, typedCuts(field, settings[field], settings.currency ?? 'CNY')]),
    ) as Record<CutField, string>),
  }
}

function changeOf(typed: Typed, changed: readonly Field[], currency: string): SettingsChange {
  const whole = {
    zone: typed.zone.trim(),
    currency: typed.currency.trim().toUpperCase(),
    period_days: Number(typed.period_days),
    occasion_unit: typed.occasion_unit as Settings['occasion_unit'],
    member_by_purchase: typed.member_by_purchase === 'true',
    spread_window: typed.spread_window as Settings['spread_window'],
    recency_unit: typed.recency_unit as Settings['recency_unit'],
    phone_claim_days: Number(typed.phone_claim_days),
    margin_rate: typed.margin_rate.trim() === '' ? null : shareOf(typed.margin_rate),
    discount_rate_per_year: shareOf(typed.discount_rate_per_year),
    referral_share: shareOf(typed.referral_share),
    attribution_days: Number(typed.attribution_days),
    ...Object.fromEntries(CUT_FIELDS.map((field) => [field, cutsOf(field, typed[field], currency)])),
  } as SettingsChange
  return Object.fromEntries(changed.map((field) => [field, whole[field]]))
}

function SettingsForm({ settings }: { settings: Settings }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const mayChange = useMay('settings:change')
  const currency = settings.currency ?? 'CNY'
  const before = typedOf(settings)
  const [typed, setTyped] = useState(before)
  const changed = FIELDS.filter((field) => typed[field].trim() !== before[field])
  const save = useMutation({
    mutationFn: () => answered(api.PATCH('/api/v1/settings', { body: changeOf(typed, changed, currency) })),
    onSuccess: async () => {
      void message.success(t('brand.saved'))
      await client.invalidateQueries()
    },
  })
  const problems = {
    zone: typed.zone.trim() === '' ? t('brand.zone_missing') : undefined,
    period_days: daysProblem('period_days'),
    phone_claim_days: daysProblem('phone_claim_days'),
    attribution_days: daysProblem('attribution_days'),
    margin_rate: shareProblem('margin_rate'),
    discount_rate_per_year: shareProblem('discount_rate_per_year'),
    referral_share: shareProblem('referral_share'),
  }
  function shareProblem(field: keyof typeof SHARES): string | undefined {
    const text = typed[field].trim()
    const { min, isOptional } = SHARES[field]
    if (text === '') return isOptional ? undefined : t('brand.percent_range', { min })
    return /^\d{1,3}(\.\d{1,2})?$/.test(text) && Number(text) >= min && Number(text) <= 100
      ? undefined
      : t('brand.percent_range', { min })
  }
  function daysProblem(field: keyof typeof DAYS): string | undefined {
    const days = Number(typed[field])
    const { min, max } = DAYS[field]
    return typed[field].trim() !== '' && Number.isInteger(days) && days >= min && days <= max
      ? undefined
      : t('brand.number_range', { min, max })
  }
  const isWrong =
    Object.values(problems).some((problem) => problem !== undefined) ||
    CUT_FIELDS.some((field) => cutsProblem(field, typed[field], currency) !== undefined)
  const set = (field: Field) => (value: string) => setTyped({ ...typed, [field]: value })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!isWrong && changed.length > 0) save.mutate()
  }
  const shared = { isDisabled: !mayChange }
  return (
    <form onSubmit={submit} className="settings-form" aria-label={t('brand.title')}>
      <p className="soft">{t(mayChange ? 'brand.lead' : 'brand.read_only')}</p>
      <Following settings={settings} />
      <Row label={t('brand.zone')} hint={t('brand.zone_hint')} problem={problems.zone}>
        {(ids) => <ZoneInput {...ids} {...shared} value={typed.zone} onSay={set('zone')} />}
      </Row>
      <Row
        label={t('brand.currency')}
        hint={t(settings.currency === null ? 'brand.currency_open' : 'brand.currency_fixed')}
      >
        {(ids) => (
          <input
            {...ids}
            type="text"
            maxLength={3}
            autoComplete="off"
            value={typed.currency}
            disabled={!mayChange || settings.currency !== null}
            onChange={(event) => set('currency')(event.target.value)}
          />
        )}
      </Row>
      <Row label={t('brand.period_days')} hint={t('brand.period_days_hint')} problem={problems.period_days}>
        {(ids) => <NumberInput {...ids} {...shared} value={typed.period_days} onSay={set('period_days')} />}
      </Row>
      <Row label={t('brand.occasion_unit')} hint={t('brand.occasion_unit_hint')}>
        {(ids) => (
          <Choice {...ids} {...shared} value={typed.occasion_unit} onSay={set('occasion_unit')}>
            <option value="day">{t('brand.occasion_day')}</option>
            <option value="order">{t('brand.occasion_order')}</option>
          </Choice>
        )}
      </Row>
      <Row label={t('brand.member_by_purchase')} hint={t('brand.member_by_purchase_hint')}>
        {(ids) => (
          <Choice {...ids} {...shared} value={typed.member_by_purchase} onSay={set('member_by_purchase')}>
            <option value="true">{t('brand.member_yes')}</option>
            <option value="false">{t('brand.member_no')}</option>
          </Choice>
        )}
      </Row>
      <Row label={t('brand.spread_window')} hint={t('brand.spread_window_hint')}>
        {(ids) => (
          <Choice {...ids} {...shared} value={typed.spread_window} onSay={set('spread_window')}>
            <option value="period">{t('brand.spread_period')}</option>
            <option value="ever">{t('brand.spread_ever')}</option>
          </Choice>
        )}
      </Row>
      <Row label={t('brand.recency_unit')} hint={t('brand.recency_unit_hint')}>
        {(ids) => (
          <Choice {...ids} {...shared} value={typed.recency_unit} onSay={set('recency_unit')}>
            <option value="day">{t('brand.recency_day')}</option>
            <option value="24h">{t('brand.recency_24h')}</option>
          </Choice>
        )}
      </Row>
      <Row
        label={t('brand.phone_claim_days')}
        hint={t('brand.phone_claim_days_hint')}
        problem={problems.phone_claim_days}
      >
        {(ids) => <NumberInput {...ids} {...shared} value={typed.phone_claim_days} onSay={set('phone_claim_days')} />}
      </Row>
      <h2 className="settings-part">{t('brand.value_title')}</h2>
      {VALUED.map((field) => (
        <Row key={field} label={t(`brand.${field}`)} hint={t(`brand.${field}_hint`)} problem={problems[field]}>
          {(ids) => <NumberInput {...ids} {...shared} value={typed[field]} onSay={set(field)} />}
        </Row>
      ))}
      <h2 className="settings-part">{t('brand.cuts_title')}</h2>
      {CUT_FIELDS.map((field) => (
        <CutRow
          key={field}
          {...shared}
          field={field}
          value={typed[field]}
          currency={settings.currency}
          onSay={set(field)}
        />
      ))}
      {changed.length > 0 && <Effect settings={settings} changed={changed} />}
      {save.error && <FormProblem error={save.error} />}
      {mayChange && (
        <p className="settings-actions">
          <Button type="primary" htmlType="submit" disabled={changed.length === 0 || isWrong} loading={save.isPending}>
            {t('brand.save')}
          </Button>
          {changed.length > 0 && <Button onClick={() => setTyped(before)}>{t('brand.reset')}</Button>}
        </p>
      )}
    </form>
  )
}

/** Whether everybody is being computed anew, and else since when everybody is by the rules as they are. */
function Following({ settings }: { settings: Settings }) {
  const { t } = useTranslation()
  const language = useLanguage()
  // By the clock of the reader, who has just saved.
  const [readAt] = useState(() => Date.now())
  if (settings.is_rebuilding) {
    return (
      <p className="settings-notice" role="status">
        {t('brand.rebuilding')}
      </p>
    )
  }
  if (settings.followed_at === null) return null
  const at = instant(settings.followed_at, settings.zone)
  const ago = timeAgo(settings.followed_at, Math.max(readAt, Date.parse(settings.followed_at)), language)
  return (
    <p className="soft" role="status">
      {t('brand.followed', { at, ago })}
    </p>
  )
}

/** What saving sets off: said before it is done. */
function Effect({ settings, changed }: { settings: Settings; changed: readonly Field[] }) {
  const { t } = useTranslation()
  const named = (fields: readonly Field[]) => fields.map((field) => t(`brand.${field}`)).join('、')
  const isOf = (list: readonly string[]) => (field: Field) => list.includes(field)
  const cuts = changed.filter(isOf(CUT_FIELDS))
  const rebuilding = changed.filter((field) => isOf(settings.rebuilding_settings)(field) && !cuts.includes(field))
  const valued = VALUED.filter((field) => changed.includes(field))
  const immediate = changed.filter((field) => ![...rebuilding, ...cuts, ...valued].includes(field))
  return (
    <section className="settings-notice" aria-label={t('brand.effect_title')}>
      <h2>{t('brand.effect_title')}</h2>
      <ul className="settings-effects">
        {rebuilding.length > 0 && <li>{t('brand.effect_rebuild', { fields: named(rebuilding) })}</li>}
        {cuts.length > 0 && <li>{t('brand.effect_cuts', { fields: named(cuts) })}</li>}
        {valued.length > 0 && <li>{t('brand.effect_valued', { fields: named(valued) })}</li>}
        {immediate.length > 0 && <li>{t('brand.effect_now', { fields: named(immediate) })}</li>}
        {changed.includes('zone') && <li>{t('brand.effect_zone')}</li>}
        {changed.includes('currency') && <li>{t('brand.effect_currency')}</li>}
      </ul>
    </section>
  )
}

interface Ids {
  id: string
  'aria-describedby': string
  'aria-invalid': boolean
}

interface RowProps {
  label: string
  hint: string
  problem?: string | undefined
  children: (ids: Ids) => ReactNode
}

function Row({ label, hint, problem, children }: RowProps) {
  const id = useId()
  return (
    <div className="setting">
      <label htmlFor={id}>{label}</label>
      <div>
        {children({ id, 'aria-describedby': `${id}-hint`, 'aria-invalid': problem !== undefined })}
        <p id={`${id}-hint`} className={problem ? 'form-problem' : 'note'}>
          {problem ?? hint}
        </p>
      </div>
    </div>
  )
}

interface InputProps extends Ids {
  value: string
  isDisabled: boolean
  onSay: (value: string) => void
}

function ZoneInput({ value, isDisabled, onSay, ...ids }: InputProps) {
  const listId = `${ids.id}-zones`
  return (
    <>
      <input
        {...ids}
        type="text"
        list={listId}
        maxLength={60}
        autoComplete="off"
        spellCheck={false}
        value={value}
        disabled={isDisabled}
        onChange={(event) => onSay(event.target.value)}
      />
      <datalist id={listId}>
        {Intl.supportedValuesOf('timeZone').map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  )
}

function NumberInput({ value, isDisabled, onSay, ...ids }: InputProps) {
  return (
    <input
      {...ids}
      type="text"
      inputMode="decimal"
      autoComplete="off"
      value={value}
      disabled={isDisabled}
      onChange={(event) => onSay(event.target.value)}
    />
  )
}

function Choice({ value, isDisabled, onSay, children, ...ids }: InputProps & { children: ReactNode }) {
  return (
    <select {...ids} value={value} disabled={isDisabled} onChange={(event) => onSay(event.target.value)}>
      {children}
    </select>
  )
}
