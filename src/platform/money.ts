/**
 * Currencies whose minor unit is not a hundredth (ISO 4217). Everything else has two decimals.
 */
const EXPONENTS: Readonly<Record<string, number>> = {
  BHD: 3,
  CLP: 0,
  IQD: 3,
  ISK: 0,
  JOD: 3,
  JPY: 0,
  KRW: 0,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  PYG: 0,
  TND: 3,
  UGX: 0,
  VND: 0,
  XAF: 0,
  XOF: 0,
}

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

/** Whether it is a code of ISO 4217, in capitals: XYZ and RMB are none. */
export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code)
}

/** Decimals of the currency's minor unit: 2 for CNY (分). */
export function minorExponent(currency: string): number {
  return EXPONENTS[currency] ?? 2
}

/** 123456 CNY -> "1,234.56": for people; machines get the integer. */
export function formatMinor(amountMinor: number, currency: string): string {
  const exponent = minorExponent(currency)
  return (amountMinor / 10 ** exponent).toLocaleString('en-US', {
    minimumFractionDigits: exponent,
    maximumFractionDigits: exponent,
  })
}
