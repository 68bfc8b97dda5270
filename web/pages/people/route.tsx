import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { MergeReview } from './MergeReview.tsx'
import { People } from './People.tsx'
import { PersonPage } from './PersonPage.tsx'
import { Tags } from './Tags.tsx'

const peopleRoute = getRouteApi('/shell/people')
const personRoute = getRouteApi('/shell/people/$person_id')

export function PeopleRoute() {
  return <People search={useWithoutBrand(peopleRoute.useSearch())} />
}

export function ReviewRoute() {
  return <MergeReview />
}

export function TagsRoute() {
  return <Tags />
}

export function PersonRoute() {
  const { person_id: personId } = personRoute.useParams()
  // Another person is another page: nothing that was opened or typed about the one before stays.
  return <PersonPage key={personId} personId={personId} />
}
