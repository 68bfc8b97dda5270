import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { type BrandInfo, brandQuery } from '../api/queries.ts'
import { BrandFormatProvider } from './brand-format.tsx'
import { Loaded } from './Loaded.tsx'
import { ViewTags } from './ViewTags.tsx'

/** A page of the brand: its title at once, the rest when zone and currency are known. */
export function WithBrand({ title, children }: { title: string; children: (brand: BrandInfo) => ReactNode }) {
  const { t } = useTranslation()
  const query = useQuery(brandQuery)
  const { data: brand, error } = query
  if (brand) {
    return (
      <BrandFormatProvider brand={brand} asOf={brand.now}>
        {children(brand)}
      </BrandFormatProvider>
    )
  }
  return (
    <article aria-busy={!error}>
      <h1>{title}</h1>
      <Loaded query={query} problem={t('problem.page')} lines={[34, 52, 44, 40, 61, 57]}>
        {() => null}
      </Loaded>
    </article>
  )
}

/** Title and what every figure of the page is about. */
export function PageHeader({ brand, title, children }: { brand: BrandInfo; title: string; children?: ReactNode }) {
  const { t } = useTranslation()
  return (
    <header className="page-header">
      <h1>{title}</h1>
      <p className="page-facts">
        <strong className="page-brand">{brand.name}</strong>
        {brand.is_demo && <span className="tag">{t('today.demo')}</span>}
        <ViewTags />
        {children}
      </p>
    </header>
  )
}
