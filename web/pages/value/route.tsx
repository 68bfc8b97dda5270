import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { Value } from './Value.tsx'

const route = getRouteApi('/shell/relationship/value')

export function ValueRoute() {
  return <Value search={useWithoutBrand(route.useSearch())} />
}
