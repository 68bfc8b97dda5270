import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { Today } from './Today.tsx'

const route = getRouteApi('/shell/')

export function TodayRoute() {
  return <Today search={useWithoutBrand(route.useSearch())} />
}
