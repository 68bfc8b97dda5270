import { useQuery } from '@tanstack/react-query'
import { type Session, sessionQuery } from '../api/queries.ts'

type Permission = NonNullable<Session['permissions']>[number]

/** Whether the account may do something. While nobody is known to be there, nothing: what acts on people waits for it. */
export function useMay(permission: Permission): boolean {
  const { data: session } = useQuery(sessionQuery)
  return session?.permissions?.includes(permission) ?? false
}

/** What the account sees of people, once it is known. */
export function useSees(): { people: 'everyone' | 'own'; is_masked: boolean } | undefined {
  return useQuery(sessionQuery).data?.sees
}
