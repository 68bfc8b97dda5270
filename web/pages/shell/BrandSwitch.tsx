import { useRouterState } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { PAGE_BRAND } from '../../api/page-brand.ts'
import type { Session } from '../../api/queries.ts'

type Brands = NonNullable<Session['brands']>

/** The brand that this page shows; undefined where its address names one that there is not. */
export function shownBrand(session: Session): Brands[number] | undefined {
  return PAGE_BRAND === undefined ? session.brand : session.brands?.find(({ key }) => key === PAGE_BRAND)
}

/** Which brand is shown, and the others of the installation. Plain links: each loads the page anew, with nothing of this brand in it. */
export function BrandSwitch({ brands, shown }: { brands: Brands; shown: Brands[number] }) {
  const { t } = useTranslation()
  const ref = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const close = (event: Event) => {
      if (ref.current?.open && !ref.current.contains(event.target as Node)) ref.current.open = false
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('focusin', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('focusin', close)
    }
  }, [])
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !ref.current?.open) return
    ref.current.open = false
    ref.current.querySelector('summary')?.focus()
  }
  return (
    <details className="brand-switch" ref={ref} onKeyDown={onKeyDown}>
      <summary title={shown.name}>
        <span className="visually-hidden">{t('brands.label')}</span>
        <span className="brand-switch-name">{shown.name}</span>
      </summary>
      <BrandLinks brands={brands} shown={shown} />
    </details>
  )
}

/** The same page of each brand; where it is about one person or thing, which others have not, the page that lists them. */
export function BrandLinks({ brands, shown }: { brands: Brands; shown: Brands[number] | undefined }) {
  const { t } = useTranslation()
  const path = useRouterState({
    select: ({ matches }) => {
      const { pathname = '/', params = {} } = matches.at(-1) ?? {}
      return Object.keys(params).length === 0 ? pathname : `/${pathname.split('/')[1]}`
    },
  })
  return (
    <ul className={`brand-links ${shown ? '' : 'brand-links-page'}`} aria-label={t('brands.list')}>
      {brands.map(({ key, name, is_demo }) => (
        <li key={key}>
          <a href={`${path}?brand=${encodeURIComponent(key)}`} aria-current={key === shown?.key ? 'true' : undefined}>
            {name}
            {is_demo && <span className="tag">{t('today.demo')}</span>}
          </a>
        </li>
      ))}
    </ul>
  )
}

/** The address names a brand that is not there (any more). */
export function UnknownBrand({ brands }: { brands: Brands }) {
  const { t } = useTranslation()
  return (
    <section className="unknown-brand" aria-labelledby="unknown-brand">
      <h1 id="unknown-brand">{t('brands.unknown', { brand: PAGE_BRAND ?? '' })}</h1>
      <p>{t('brands.choose')}</p>
      <BrandLinks brands={brands} shown={undefined} />
    </section>
  )
}
