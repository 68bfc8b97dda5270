import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { hash, verify } from '@node-rs/argon2'
import { type BetterAuthOptions, betterAuth } from 'better-auth'
import { magicLink } from 'better-auth/plugins'
import { z } from 'zod'
import type { Clock } from './clock.ts'
import { type Config, ConfigError } from './config.ts'
import type { Database } from './db.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { readOrMakeSecret } from './secrets.ts'

/** What accounts need of an Installation. */
export interface AuthHome {
  readonly control: Database
  readonly config: Pick<Config, 'home' | 'publicUrl'>
}

export interface AuthSettings {
  /** e.g. `http://127.0.0.1:8700`; a function where the port is known only after listening (PORT=0). */
  readonly baseUrl: string | (() => string)
  readonly clock: Clock
  /** Where better-auth's warnings go: sentences without credentials. Standard error when left out. */
  readonly log?: (level: string, sentence: string) => void
}

export interface SignedIn {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly role: string
  readonly hasPassword: boolean
}

export interface Account {
  readonly name: string
  readonly email: string
  readonly password: string
}

/** From whom a request comes, as far as accounts care. */
export interface Caller {
  /** IP address: failed attempts are counted by it. */
  readonly address: string
  readonly userAgent: string | undefined
  readonly cookie: string | undefined
}

/** Values of `set-cookie`. */
export interface Cookies {
  readonly cookies: readonly string[]
}

export interface Auth {
  /** better-auth itself, below `/api/auth`. http.ts does not mount it: it has many more endpoints than we need. */
  handler(request: Request): Promise<Response>
  /** Origins that may send state-changing requests: this machine's names and PUBLIC_URL. */
  trustedOrigins(): string[]
  /** Who sends these headers (`cookie`); undefined when nobody is signed in. */
  sessionOf(headers: Headers): Promise<SignedIn | undefined>
  /** Refuses wrong_email_or_password and too_many_attempts (5 a minute and address). */
  signIn(credentials: { email: string; password: string }, caller: Caller): Promise<Cookies | Refusal>
  signOut(caller: Caller): Promise<Cookies>
  /**
   * A link that signs the owner in once within LINK_MINUTES: `http://127.0.0.1:8700/sign-in/<token>`, below PUBLIC_URL
   * when there is one, because over https its cookie would not come back to 127.0.0.1.
   */
  makeSignInLink(): Promise<string>
  /** Uses up a link's token and opens a session; makes the owner when nobody is. Refuses link_used_or_expired. */
  openLink(token: string, caller: Caller): Promise<Cookies | Refusal>
  ownerHasPassword(): Promise<boolean>
  /**
   * Sets name, e-mail and password of whoever sends these headers; signs out every other browser and voids open links.
   * Refuses bad_name, bad_email, weak_password, email_taken, link_needed and not_signed_in.
   */
  setAccount(headers: Headers, account: Account): Promise<SignedIn | Refusal>
}

export const LINK_MINUTES = 60
export const PASSWORD_CHARACTERS_MIN = 10
export const PASSWORD_CHARACTERS_MAX = 128
const NAME_CHARACTERS_MAX = 100
const SESSION_DAYS = 30
const SIGN_IN_ATTEMPTS_PER_MINUTE = 5
/** The reserved domain .invalid: until the owner gives an address, nothing can be sent to this one. */
const FIRST_OWNER_EMAIL = 'owner@perennial.invalid'
const LOCAL_ORIGIN = 'http://127.0.0.1'
const ADDRESS_HEADER = 'x-perennial-client-address'
const UNIQUE_VIOLATION = '23505'

/** OWASP's argon2id parameters (19 MiB, 2 passes, 1 lane): about 20 ms; argon2id is the library's default variant. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** @throws ConfigError when PUBLIC_URL is no address; Error when the secret can be neither read nor made. */
export async function createAuth(home: AuthHome, settings: AuthSettings): Promise<Auth> {
  const { control } = home
  const publicOrigin = readPublicOrigin(home.config)
  const baseUrl = () => (typeof settings.baseUrl === 'string' ? settings.baseUrl : settings.baseUrl())
  const trustedOrigins = () => {
    const { port } = new URL(baseUrl())
    const local = ['127.0.0.1', 'localhost', '[::1]'].map((name) => new URL(`http://${name}:${port}`).origin)
    return publicOrigin ? [...local, publicOrigin] : local
  }
  const secret = await readOrMakeSecret(join(home.config.home, 'secrets'), 'auth-secret')
  const auth = betterAuth(betterAuthOptions(control, { secret, publicOrigin, log: settings.log }))

  /** Through better-auth's own door, the only one behind which it counts attempts. */
  async function call(method: 'GET' | 'POST', path: string, caller: Caller, body?: object): Promise<Response> {
    // Made anew, so that a browser cannot bring an address of its own. http.ts has checked whose page asks.
    const origin = publicOrigin ?? LOCAL_ORIGIN
    const headers = new Headers({ origin, [ADDRESS_HEADER]: caller.address })
    if (caller.cookie) headers.set('cookie', caller.cookie)
    if (caller.userAgent) headers.set('user-agent', caller.userAgent)
    if (body) headers.set('content-type', 'application/json')
    return auth.handler(
      new Request(new URL(`/api/auth${path}`, origin), { method, headers, body: body ? JSON.stringify(body) : null }),
    )
  }

  async function signedIn(userId: string): Promise<SignedIn | undefined> {
    const { rows } = await control.pool.query<SignedIn>(
      `select id as "userId", name, email, role, ${HAS_PASSWORD} as "hasPassword" from auth.users where id = $1`,
      [userId],
    )
    return rows[0]
  }

  return {
    handler: auth.handler,
    trustedOrigins,
    sessionOf: async (headers) => {
      const found = await auth.api.getSession({ headers })
      return found ? signedIn(found.user.id) : undefined
    },
    signIn: async (credentials, caller) => cookiesOf(await call('POST', '/sign-in/email', caller, credentials)),
    signOut: async (caller) => ({ cookies: (await call('POST', '/sign-out', caller, {})).headers.getSetCookie() }),
    makeSignInLink: async () => {
      const { rows } = await control.pool.query<{ email: string }>(OWNER_EMAIL)
      let token: string | undefined
      const receive = (made: string) => {
        token = made
      }
      await auth.api.signInMagicLink({
        body: { email: rows[0]?.email ?? FIRST_OWNER_EMAIL, name: 'Owner', metadata: { receive } },
        headers: new Headers(),
      })
      if (!token) throw new Error('better-auth made no sign-in link')
      return new URL(`/sign-in/${token}`, publicOrigin ?? baseUrl()).toString()
    },
    openLink: async (token, caller) => {
      const query = new URLSearchParams({ token, callbackURL: '/' })
      return cookiesOf(await call('GET', `/magic-link/verify?${query}`, caller))
    },
    ownerHasPassword: async () => {
      const { rowCount } = await control.pool.query(
        `select from auth.users where role = 'owner' and ${HAS_PASSWORD} limit 1`,
      )
      return Boolean(rowCount)
    },
    setAccount: async (headers, account) => {
      const found = await auth.api.getSession({ headers })
      const now = settings.clock.now()
      if (!found) return notSignedIn()
      const refusal = await saveAccount(control, found.session, account, now)
      return refusal ?? (await signedIn(found.user.id)) ?? notSignedIn()
    },
  }
}

const HAS_PASSWORD = `exists (select from auth.accounts
  where accounts.user_id = users.id and provider_id = 'credential' and password is not null)`

const OWNER_EMAIL = `select email from auth.users where role = 'owner' order by created_at, id limit 1`

export function notSignedIn(): Refusal {
  return refuse(
    'forbidden',
    'not_signed_in',
    'Nobody is signed in.',
    'Sign in with e-mail and password, or run ./perennial sign-in on the server for a link.',
  )
}

/**
 * The origin of PUBLIC_URL, undefined when it is not set.
 * @throws ConfigError with a sentence that says what the variable takes.
 */
export function readPublicOrigin(config: Pick<Config, 'publicUrl'>): string | undefined {
  if (!config.publicUrl) return undefined
  const url = URL.parse(config.publicUrl)
  if (url && /^https?:$/.test(url.protocol)) return url.origin
  throw new ConfigError(`PUBLIC_URL is "${config.publicUrl}"; it takes an address such as https://crm.example.com.`)
}

/** better-auth speaks in statuses and redirects; here they become cookies or a refusal. */
async function cookiesOf(response: Response): Promise<Cookies | Refusal> {
  if (response.status === 429) {
    const seconds = Number(response.headers.get('x-retry-after')) || 60
    return refuse('over_limit', 'too_many_attempts', 'Too many attempts to sign in.', `Try again in ${seconds} s.`)
  }
  const location = response.headers.get('location')
  if (location && new URL(location).searchParams.has('error')) {
    return refuse(
      'missing',
      'link_used_or_expired',
      `This sign-in link was used already, or is older than ${LINK_MINUTES} minutes.`,
      'Run ./perennial sign-in on the server for a new one.',
    )
  }
  if (response.ok || location) return { cookies: response.headers.getSetCookie() }
  if (response.status < 500) {
    return refuse(
      'forbidden',
      'wrong_email_or_password',
      'E-mail and password do not belong together.',
      'Check both, or run ./perennial sign-in on the server for a link.',
    )
  }
  throw new Error(`better-auth answered with status ${response.status}`)
}

interface Session {
  readonly id: string
  readonly userId: string
  readonly openedByLink: boolean
}

async function saveAccount(
  control: Database,
  session: Session,
  wanted: Account,
  now: Date,
): Promise<Refusal | undefined> {
  const account = checkAccount(wanted)
  if (isRefusal(account)) return account
  const password = await hash(account.password, ARGON2)
  try {
    return await control.transaction(async (_tx, client) => {
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
      await client.query(
        `insert into auth.accounts (user_id, account_id, provider_id, password, created_at, updated_at)
         values ($1::uuid, $1::uuid::text, 'credential', $2, $3, $3)
         on conflict (provider_id, account_id) do update set password = excluded.password, updated_at = excluded.updated_at`,
        [session.userId, password, now],
      )
      await client.query('delete from auth.sessions where user_id = $1 and id <> $2', [session.userId, session.id])
      await client.query('update auth.sessions set opened_by_link = false where id = $1', [session.id])
      await client.query(`delete from auth.verifications where identifier like 'magic-link:%'`)
      return undefined
    })
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error
    return refuse('conflict', 'email_taken', `${account.email} belongs to another account.`, 'Take another address.')
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

function checkAccount(wanted: Account): Account | Refusal {
  const name = wanted.name.trim()
  const email = wanted.email.trim().toLowerCase()
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX) {
    const found = name.length === 0 ? 'The name is empty.' : `The name has ${name.length} characters.`
    return refuse('invalid', 'bad_name', found, `Use 1 to ${NAME_CHARACTERS_MAX} characters.`)
  }
  if (!z.email().safeParse(email).success) {
    return refuse('invalid', 'bad_email', `"${email}" is not an e-mail address.`, 'Use one such as lin@example.com.')
  }
  const characters = [...wanted.password].length
  if (characters < PASSWORD_CHARACTERS_MIN || wanted.password.length > PASSWORD_CHARACTERS_MAX) {
    return refuse(
      'invalid',
      'weak_password',
      `The password has ${characters} characters.`,
      `Use ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters.`,
    )
  }
  return { name, email, password: wanted.password }
}

export interface BetterAuthSettings {
  readonly secret: string
  readonly publicOrigin: string | undefined
  readonly log: AuthSettings['log']
}

const TIMES = { createdAt: 'created_at', updatedAt: 'updated_at' }

/** The whole configuration of better-auth, apart so that a test can compare it with the migration. */
export function betterAuthOptions(control: Database, settings: BetterAuthSettings) {
  const log = settings.log ?? ((level, sentence) => console.error(`auth ${level}: ${sentence}`))
  return {
    appName: 'Perennial',
    // The one origin it trusts and the one `call` names. Nothing we use builds an address from it, so it needs no port,
    // which may not be known yet.
    baseURL: settings.publicOrigin ?? LOCAL_ORIGIN,
    basePath: '/api/auth',
    // `secrets`, because with `secret` better-auth prefers what it finds in the environment.
    secrets: [{ version: 1, value: settings.secret }],
    telemetry: { enabled: false },
    // The sentence only: its further arguments may be errors that quote a request.
    logger: { level: 'warn', log: (level, sentence) => log(level, sentence) },
    // Errors that are not answers reach the one error handler of http.ts.
    onAPIError: { throw: true },
    database: { db: control.db, type: 'postgres', schemaName: 'auth', transaction: true },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_CHARACTERS_MIN,
      maxPasswordLength: PASSWORD_CHARACTERS_MAX,
      password: {
        hash: (password) => hash(password, ARGON2),
        verify: ({ hash: stored, password }) => verify(stored, password),
      },
    },
    plugins: [
      magicLink({
        expiresIn: LINK_MINUTES * 60,
        storeToken: 'hashed',
        // 128 random bits, short enough to be copied from a terminal.
        generateToken: () => randomBytes(16).toString('base64url'),
        // Nothing is sent: makeSignInLink is the only caller and takes the token from here.
        sendMagicLink: ({ token, metadata }) => {
          const receive: unknown = metadata?.receive
          if (typeof receive === 'function') receive(token)
        },
      }),
    ],
    rateLimit: {
      enabled: true,
      storage: 'database',
      customRules: { '/sign-in/email': { window: 60, max: SIGN_IN_ATTEMPTS_PER_MINUTE } },
      modelName: 'rate_limits',
      fields: { lastRequest: 'last_request' },
    },
    advanced: {
      cookiePrefix: 'perennial',
      useSecureCookies: settings.publicOrigin?.startsWith('https:') ?? false,
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax' },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] },
      // Said aloud, because better-auth leaves the check out where NODE_ENV is "test".
      disableOriginCheck: false,
      disableCSRFCheck: false,
      // A test proves the tables right once; asking the catalogue in every process proves nothing more.
      database: { generateId: 'uuid', validateSchema: false },
    },
    databaseHooks: {
      user: {
        create: {
          // An account comes into being only here: by the first link. A link to an address the owner gave up is void.
          before: async (user) => {
            const { rowCount: owners } = await control.pool.query(OWNER_EMAIL)
            if (owners || user.email !== FIRST_OWNER_EMAIL) return false
            return { data: { ...user, role: 'owner' } }
          },
        },
      },
      session: {
        create: {
          before: async (session, context) => ({
            data: { ...session, openedByLink: context?.path === '/magic-link/verify' },
          }),
        },
      },
    },
    user: {
      modelName: 'users',
      fields: { ...TIMES, emailVerified: 'email_verified' },
      additionalFields: { role: { type: 'string', required: true, input: false } },
    },
    session: {
      modelName: 'sessions',
      fields: {
        ...TIMES,
        userId: 'user_id',
        expiresAt: 'expires_at',
        ipAddress: 'ip_address',
        userAgent: 'user_agent',
      },
      additionalFields: {
        openedByLink: { type: 'boolean', required: true, input: false, fieldName: 'opened_by_link' },
      },
      expiresIn: SESSION_DAYS * 24 * 3600,
      // Who am I is a read: it does not write a later expiry, of which the browser's cookie would not learn anyway.
      disableSessionRefresh: true,
    },
    account: {
      modelName: 'accounts',
      fields: {
        ...TIMES,
        userId: 'user_id',
        accountId: 'account_id',
        providerId: 'provider_id',
        accessToken: 'access_token',
        refreshToken: 'refresh_token',
        idToken: 'id_token',
        accessTokenExpiresAt: 'access_token_expires_at',
        refreshTokenExpiresAt: 'refresh_token_expires_at',
      },
    },
    verification: { modelName: 'verifications', fields: { ...TIMES, expiresAt: 'expires_at' } },
  } satisfies BetterAuthOptions
}
