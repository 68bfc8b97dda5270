import { defaultParseSearch } from '@tanstack/react-router'
import { useMemo } from 'react'

/** The brand that an address names; undefined: the current one of the installation. */
export function brandIn(search: { readonly brand?: unknown }): string | undefined {
  return search.brand === undefined || search.brand === '' ? undefined : String(search.brand)
}

/**
 * The brand of this page, from the address that it was loaded by: one page is of one brand as long as it lives, so that nothing that
 * was read of one is shown with another. An address of another brand loads the page anew (routes.tsx).
 */
export const PAGE_BRAND = brandIn(defaultParseSearch(window.location.search))

/** What an address says beside its brand: the brand is no filter of a page. */
export function useWithoutBrand<Search extends { readonly brand?: string }>(search: Search): Omit<Search, 'brand'> {
  return useMemo(() => {
    const { brand: _, ...own } = search
    return own
  }, [search])
}
