import { getRouteApi } from '@tanstack/react-router'
import { SignIn } from './SignIn.tsx'

const route = getRouteApi('/sign-in')

export function SignInRoute() {
  return <SignIn from={route.useSearch().from} />
}
