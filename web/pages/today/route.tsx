import { getRouteApi } from '@tanstack/react-router'
import { Today } from './Today.tsx'

const route = getRouteApi('/shell/')

export function TodayRoute() {
  return <Today search={route.useSearch()} />
}
