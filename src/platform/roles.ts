/**
 * Who may do what: the one table of it. A route names the permission it needs (`config.permission`), the gate looks it up
 * here, and the console shows what `GET /api/v1/session` lists of it. docs/guide/en/roles.md says the same in words.
 */

export const ROLES = ['owner', 'lead', 'adviser', 'analyst', 'integrator', 'outside_operator'] as const
export type Role = (typeof ROLES)[number]

const ALL_WHO_SEE_PEOPLE = ['owner', 'lead', 'adviser', 'analyst', 'outside_operator'] as const

/** Permission × role. */
export const PERMISSIONS = {
  /** One's own account and sessions. */
  'account:own': ROLES,
  'brief:read': ALL_WHO_SEE_PEOPLE,
  /** Lists, one person, who moved between depths: of whom, and with which values, the view says (`viewOf`). */
  'people:read': ALL_WHO_SEE_PEOPLE,
  /** Segments, their sizes and members, and how many people a definition holds for. */
  'segments:read': ALL_WHO_SEE_PEOPLE,
  'segments:write': ['owner', 'lead', 'analyst', 'outside_operator'],
  /** All that is kept of one person, in one file. */
  'people:export': ['owner', 'lead'],
  /** Who is one person, decided by hand: what waits for it, merges, splits, and taking them back. It is about everybody. */
  'people:merge': ['owner', 'lead'],
  'people:erase': ['owner', 'lead'],
  /** Giving people tags and taking them, and taking such edits back: of whom, the view says. */
  'tags:write': ['owner', 'lead', 'adviser'],
  /** Which tags and groups there are. */
  'tags:manage': ['owner', 'lead'],
  /** Bringing files, importing them, and taking imports back. Who sees no personal values sees files of their own. */
  'imports:manage': ['owner', 'lead', 'integrator'],
  /** Invitations, roles, closing accounts: only for the roles that one may give (`GIVES`). */
  'users:manage': ['owner', 'lead'],
  'audit:read': ['owner', 'lead'],
  'settings:read': ROLES,
  'settings:change': ['owner', 'lead'],
  /** Having everybody valued now, in place of tonight. */
  'values:run': ['owner', 'lead'],
  'api_keys:manage': ['owner', 'integrator'],
  'webhooks:manage': ['owner', 'integrator'],
} as const satisfies Record<string, readonly Role[]>
export type Permission = keyof typeof PERMISSIONS

/** What a key needs of whoever makes it, by its scope: it may never do more than they may. */
export const SCOPE_NEEDS: Readonly<Record<string, Permission>> = {
  'facts:write': 'api_keys:manage',
  'people:read': 'people:export',
  'metrics:read': 'api_keys:manage',
}

/** Which roles somebody may give to others and take away: never one that may do more than they may themselves. */
export const GIVES: Readonly<Record<Role, readonly Role[]>> = {
  owner: ROLES,
  lead: ['adviser', 'analyst', 'outside_operator'],
  adviser: [],
  analyst: [],
  integrator: [],
  outside_operator: [],
}

/** Who sees phones, e-mails and other values that reach or name a person; to everybody else they are masked. */
const SEES_PERSONAL_VALUES: readonly Role[] = ['owner', 'lead', 'adviser', 'outside_operator']

/** Permissions behind which there are people: an answer to somebody who sees but some of them, or masked, needs a view. */
const ABOUT_PEOPLE: readonly Permission[] = [
  'brief:read',
  'people:read',
  'segments:read',
  'segments:write',
  'people:export',
  'people:merge',
  'people:erase',
  'tags:write',
]

/** Whose people: everyone's, or those with a live connection at `at` to one member of the staff. */
export type PeopleScope = 'everyone' | { readonly staff: string; readonly at: Date }

/** What somebody sees of people: which of them, and whether personal values are masked. */
export interface View {
  readonly scope: PeopleScope
  readonly isMasked: boolean
}

/** Everyone and everything: the terminal of the server, and keys of programs. */
export const FULL_VIEW: View = { scope: 'everyone', isMasked: false }

export function may(role: Role, permission: Permission): boolean {
  const roles: readonly Role[] = PERMISSIONS[permission]
  return roles.includes(role)
}

export function permissionsOf(role: Role): Permission[] {
  return (Object.keys(PERMISSIONS) as Permission[]).filter((permission) => may(role, permission))
}

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSIONS, text)
}

export function isAboutPeople(permission: Permission): boolean {
  return ABOUT_PEOPLE.includes(permission)
}

export function isMaskedRole(role: Role): boolean {
  return !SEES_PERSONAL_VALUES.includes(role)
}

/** @throws Error for an adviser without a staff id: the database has none (auth.users). */
export function viewOfRole(user: { readonly role: Role; readonly staffId: string | null }, at: Date): View {
  const isMasked = isMaskedRole(user.role)
  if (user.role !== 'adviser') return { scope: 'everyone', isMasked }
  if (user.staffId === null) throw new Error('An adviser without a staff id has no people')
  return { scope: { staff: user.staffId, at }, isMasked }
}
