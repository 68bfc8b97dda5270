import { createContext, type ReactNode, useContext, useMemo } from 'react'
import type { Brief } from '../api/queries.ts'
import * as format from './format.ts'
import { useLanguage } from './preferences.ts'

/** The formats of one brand as of one instant: its zone, its currency, the reader's language. */
export interface BrandFormat {
  asOf: string
  zone: string
  currency: string
  periodDays: number
  count(value: number): string
  /** With its sign, for what may go either way. */
  signed(value: number): string
  /** For sentences, with the currency. */
  money(minor: number): string
  signedMoney(minor: number): string
  /** For columns whose header names the currency. */
  amount(minor: number): string
  share(part: number, whole: number): string
  when(instant: string): string
  day(instant: string): string
  clock(instant: string): string
  instant(instant: string): string
}

const Context = createContext<BrandFormat | undefined>(undefined)

interface BrandFormatProviderProps {
  brand: Pick<Brief['brand'], 'zone' | 'currency' | 'period_days'>
  /** What "yesterday" and "in three days" count from. */
  asOf: string
  children: ReactNode
}

export function BrandFormatProvider({ brand, asOf, children }: BrandFormatProviderProps) {
  const language = useLanguage()
  const { zone, currency, period_days: periodDays } = brand
  const value = useMemo<BrandFormat>(
    () => ({
      asOf,
      zone,
      currency,
      periodDays,
      count: (number) => format.count(number, language),
      signed: (number) => format.signed(number, language),
      money: (minor) => format.money(minor, currency, language),
      signedMoney: (minor) => format.signedMoney(minor, currency, language),
      amount: (minor) => format.amount(minor, currency, language),
      share: (part, whole) => format.share(part, whole, language),
      when: (instant) => format.when(instant, asOf, zone, language),
      day: (instant) => format.day(instant, zone),
      clock: (instant) => format.clock(instant, zone),
      instant: (instant) => format.instant(instant, zone),
    }),
    [asOf, zone, currency, periodDays, language],
  )
  return <Context value={value}>{children}</Context>
}

export function useBrandFormat(): BrandFormat {
  const value = useContext(Context)
  if (!value) throw new Error('useBrandFormat needs a BrandFormatProvider above it.')
  return value
}
