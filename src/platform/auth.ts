import { join } from 'node:path'
import { betterAuth } from 'better-auth'
import {
  type Account,
  HAS_PASSWORD,
  LINK_MINUTES,
  notSignedIn,
  type Session,
  type SignedIn,
  saveAccount,
  selectSignedIn,
} from './accounts.ts'
import {
  ACCOUNT_CLOSED,
  ADDRESS_HEADER,
  betterAuthOptions,
  FIRST_OWNER_EMAIL,
  LOCAL_ORIGIN,
  OWNER_EMAIL,
} from './auth-options.ts'
import type { Clock } from './clock.ts'
import { type Config, readPublicOrigin } from './config.ts'
import type { Database } from './db.ts'
import { type Refusal, refuse } from './refusal.ts'
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
   * A link that signs the owner, or whose address it is, in once within LINK_MINUTES: `http://127.0.0.1:8700/sign-in/<token>`, below PUBLIC_URL
   * when there is one, because over https its cookie would not come back to 127.0.0.1.
   */
  makeSignInLink(email?: string): Promise<string>
  /** An address of the console, below PUBLIC_URL when there is one. */
  addressOf(path: string): string
  /** Uses up a link's token and opens a session; makes the owner when nobody is. Refuses link_used_or_expired. */
  openLink(token: string, caller: Caller): Promise<Cookies | Refusal>
  ownerHasPassword(): Promise<boolean>
  /**
   * Sets name, e-mail and password of whoever sends these headers; signs out every other browser and voids open links.
   * Refuses bad_name, bad_email, weak_password, email_taken, link_needed and not_signed_in.
   */
  setAccount(headers: Headers, account: Account): Promise<SignedIn | Refusal>
}

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
  const { clock, log } = settings
  const auth = betterAuth(betterAuthOptions(control, { secret, publicOrigin, clock, log }))

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

  const signedIn = (session: Session) => selectSignedIn(control, session, clock.now())

  const addressOf = (path: string) => new URL(path, publicOrigin ?? baseUrl()).toString()

  return {
    handler: auth.handler,
    trustedOrigins,
    sessionOf: async (headers) => {
      const found = await auth.api.getSession({ headers })
      return found ? signedIn(found.session) : undefined
    },
    signIn: async (credentials, caller) => cookiesOf(await call('POST', '/sign-in/email', caller, credentials)),
    signOut: async (caller) => ({ cookies: (await call('POST', '/sign-out', caller, {})).headers.getSetCookie() }),
    addressOf,
    makeSignInLink: async (email) => {
      const { rows } = await control.pool.query<{ email: string }>(OWNER_EMAIL)
      let token: string | undefined
      const receive = (made: string) => {
        token = made
      }
      await auth.api.signInMagicLink({
        body: { email: email ?? rows[0]?.email ?? FIRST_OWNER_EMAIL, name: 'Owner', metadata: { receive } },
        headers: new Headers(),
      })
      if (!token) throw new Error('better-auth made no sign-in link')
      return addressOf(`/sign-in/${token}`)
    },
    openLink: async (token, caller) => {
      const query = new URLSearchParams({ token, callbackURL: '/' })
      return cookiesOf(await call('GET', `/magic-link/verify?${query}`, caller))
    },
    ownerHasPassword: async () => {
      const { rowCount } = await control.pool.query(
        `select from auth.users where role = 'owner' and disabled_at is null and ${HAS_PASSWORD} limit 1`,
      )
      return Boolean(rowCount)
    },
    setAccount: async (headers, account) => {
      const found = await auth.api.getSession({ headers })
      const now = clock.now()
      if (!found) return notSignedIn()
      const refusal = await saveAccount(control, found.session, account, now)
      return refusal ?? (await signedIn({ ...found.session, openedByLink: false })) ?? notSignedIn()
    },
  }
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
  if (response.status === 403 && (await response.clone().text()).includes(ACCOUNT_CLOSED)) return accountClosed()
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

/** Said after the right password or link only, so that nobody else learns who has an account. */
function accountClosed(): Refusal {
  return refuse(
    'forbidden',
    'account_closed',
    'This account was closed, or its time is over.',
    'Ask the owner of this installation.',
  )
}
