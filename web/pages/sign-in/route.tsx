import { getRouteApi, useRouterState } from '@tanstack/react-router'
import { AcceptInvitation } from './AcceptInvitation.tsx'
import { SignIn } from './SignIn.tsx'

const route = getRouteApi('/sign-in')

export function SignInRoute() {
  return <SignIn from={route.useSearch().from} />
}

export function AcceptInvitationRoute() {
  const token = useRouterState({ select: ({ location }) => location.hash })
  return <AcceptInvitation token={token} />
}
