import { hash, verify } from '@node-rs/argon2'
import type pg from 'pg'
import { z } from 'zod'
import type { Database } from './db.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Role } from './roles.ts'

/** Somebody with an account that is open. */
export interface SignedIn {
  readonly userId: string
  readonly sessionId: string
  readonly name: string
  readonly email: string
  readonly role: Role
  readonly hasPassword: boolean
  /** By a link: then a password can be set where there is one already. */
  readonly openedByLink: boolean
  /** Whose people an adviser sees; null for every other role. */
  readonly staffId: string | null
  /** When the account of an outside operator ends; null for every other role. */
  readonly endsAt: Date | null
}

export interface Account {
  readonly name: string
  readonly email: string
  readonly password: string
}

export const PASSWORD_CHARACTERS_MIN = 10
export const PASSWORD_CHARACTERS_MAX = 128
/** Of a sign-in link. Here and not beside better-auth, which takes 0.2 s to load: no command needs it but sign-in. */
export const LINK_MINUTES = 60
const NAME_CHARACTERS_MAX = 100
const UNIQUE_VIOLATION = '23505'

/** OWASP's argon2id parameters (19 MiB, 2 passes, 1 lane): about 20 ms; argon2id is the library's default variant. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export function hashPassword(password: string): Promise<string> {
  return hash(password, ARGON2)
}

export function verifyPassword({ hash: stored, password }: { hash: string; password: string }): Promise<boolean> {
  return verify(stored, password)
}

export const HAS_PASSWORD = `exists (select from auth.accounts
  where accounts.user_id = users.id and provider_id = 'credential' and password is not null)`

/** Neither closed nor at its end, as of the instant in that parameter of the statement. */
export function isOpen(parameter: `$${number}`): string {
  return `users.disabled_at is null and (users.ends_at is null or users.ends_at > ${parameter})`
}

export async function isOpenAccount(control: Database, userId: string, now: Date): Promise<boolean> {
  const { rowCount } = await control.pool.query(`select from auth.users where id = $1 and ${isOpen('$2')}`, [
    userId,
    now,
  ])
  return rowCount === 1
}

/** Whose session it is; undefined when the account is closed. */
export async function selectSignedIn(control: Database, session: Session, now: Date): Promise<SignedIn | undefined> {
  const { rows } = await control.pool.query<SignedIn>(
    `select id as "userId", $3::text as "sessionId", name, email, role, ${HAS_PASSWORD} as "hasPassword",
       $4::boolean as "openedByLink", staff_id as "staffId", ends_at as "endsAt"
     from auth.users where id = $1 and ${isOpen('$2')}`,
    [session.userId, now, session.id, session.openedByLink],
  )
  return rows[0]
}

export function notSignedIn(): Refusal {
  return refuse(
    'forbidden',
    'not_signed_in',
    'Nobody is signed in.',
    'Sign in with e-mail and password, or run ./perennial sign-in on the server for a link.',
  )
}

export interface Session {
  readonly id: string
  readonly userId: string
  readonly openedByLink: boolean
}

/** Sets name, e-mail and password of a session's user, and ends the user's other sessions. */
export async function saveAccount(
  control: Database,
  session: Session,
  wanted: Account,
  now: Date,
): Promise<Refusal | undefined> {
  const account = checkAccount(wanted)
  if (isRefusal(account)) return account
  const password = await hashPassword(account.password)
  return refusingTakenEmail(account.email, () =>
    control.transaction(async (_tx, client) => {
      const { rowCount: replaces } = await client.query(
        `select from auth.users where id = $1 and ${HAS_PASSWORD} for update`,
        [session.userId],
      )
      // A browser left open, or a stolen cookie, must not be enough to lock the owner out. Who has the terminal has it
      // all anyway, so its link is the proof; asking for the old password would be a second door to guess at.
      if (replaces && !session.openedByLink) return linkNeeded()
      // Verified: better-auth takes an unverified account for a squatter's and deletes its password at the next link.
      await client.query(
        'update auth.users set name = $2, email = $3, email_verified = true, updated_at = $4 where id = $1',
        [session.userId, account.name, account.email, now],
      )
      await writePassword(client, session.userId, password, now)
      await client.query('delete from auth.sessions where user_id = $1 and id <> $2', [session.userId, session.id])
      await client.query('update auth.sessions set opened_by_link = false where id = $1', [session.id])
      await client.query(`delete from auth.verifications where identifier like 'magic-link:%'`)
      return undefined
    }),
  )
}

export async function writePassword(
  client: pg.PoolClient,
  userId: string,
  passwordHash: string,
  now: Date,
): Promise<void> {
  await client.query(
    `insert into auth.accounts (user_id, account_id, provider_id, password, created_at, updated_at)
     values ($1::uuid, $1::uuid::text, 'credential', $2, $3, $3)
     on conflict (provider_id, account_id) do update set password = excluded.password, updated_at = excluded.updated_at`,
    [userId, passwordHash, now],
  )
}

/** Two accounts cannot have one address: the database says so, also to two who ask at once. */
export async function refusingTakenEmail<T>(email: string, write: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await write()
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error
    return refuse('conflict', 'email_taken', `${email} belongs to another account.`, 'Take another address.')
  }
}

function linkNeeded(): Refusal {
  return refuse(
    'forbidden',
    'link_needed',
    'There is a password already, and this browser signed in with it.',
    'Run ./perennial sign-in on the server, sign in with the link and set the new one there.',
  )
}

export function checkAccount(wanted: Account): Account | Refusal {
  const name = checkName(wanted.name)
  if (isRefusal(name)) return name
  const email = checkEmail(wanted.email)
  if (isRefusal(email)) return email
  return checkPassword(wanted.password) ?? { name, email, password: wanted.password }
}

/** A name holds whatever somebody typed, markup too; control characters would speak to the terminal that lists it. */
export function checkName(wanted: string): string | Refusal {
  const name = wanted.trim()
  const remedy = `Use 1 to ${NAME_CHARACTERS_MAX} characters.`
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX) {
    const found = name.length === 0 ? 'The name is empty.' : `The name has ${name.length} characters.`
    return refuse('invalid', 'bad_name', found, remedy)
  }
  return /[\p{Cc}\p{Cs}]/u.test(name) ? refuse('invalid', 'bad_name', 'The name has control characters.', remedy) : name
}

export function checkEmail(wanted: string): string | Refusal {
  const email = wanted.trim().toLowerCase()
  if (email.length <= 254 && z.email().safeParse(email).success) return email
  return refuse('invalid', 'bad_email', `"${email}" is not an e-mail address.`, 'Use one such as lin@example.com.')
}

export function checkPassword(password: string): Refusal | undefined {
  const characters = [...password].length
  if (characters >= PASSWORD_CHARACTERS_MIN && password.length <= PASSWORD_CHARACTERS_MAX) return undefined
  return refuse(
    'invalid',
    'weak_password',
    `The password has ${characters} characters.`,
    `Use ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters.`,
  )
}
