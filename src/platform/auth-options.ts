import { randomBytes } from 'node:crypto'
import type { BetterAuthOptions } from 'better-auth'
import { APIError } from 'better-auth/api'
import { magicLink } from 'better-auth/plugins'
import {
  hashPassword,
  isOpen,
  LINK_MINUTES,
  PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MIN,
  verifyPassword,
} from './accounts.ts'
import type { Clock } from './clock.ts'
import type { Database } from './db.ts'

const SESSION_DAYS = 30
const SIGN_IN_ATTEMPTS_PER_MINUTE = 5
/** The reserved domain .invalid: until the owner gives an address, nothing can be sent to this one. */
export const FIRST_OWNER_EMAIL = 'owner@perennial.invalid'
export const LOCAL_ORIGIN = 'http://127.0.0.1'
export const ADDRESS_HEADER = 'x-perennial-client-address'
/** What better-auth is told, and says again, when the password was right and the account is closed. */
export const ACCOUNT_CLOSED = 'ACCOUNT_CLOSED'

/** The owner who has been one for longest. */
export const OWNER_EMAIL = `select email from auth.users
  where role = 'owner' and disabled_at is null order by created_at, id limit 1`

export interface BetterAuthSettings {
  readonly secret: string
  readonly publicOrigin: string | undefined
  readonly clock: Clock
  readonly log: ((level: string, sentence: string) => void) | undefined
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
      password: { hash: hashPassword, verify: verifyPassword },
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
          // By a link only the first owner comes into being; everybody else by an invitation (invitations.ts), which does
          // not go through better-auth. A link to an address the owner gave up is void.
          before: async (user) => {
            const { rowCount: owners } = await control.pool.query(OWNER_EMAIL)
            if (owners || user.email !== FIRST_OWNER_EMAIL) return false
            return { data: { ...user, role: 'owner' } }
          },
        },
      },
      session: {
        create: {
          before: async (session, context) => {
            const { rowCount: open } = await control.pool.query(
              `select from auth.users where id = $1 and ${isOpen('$2')}`,
              [session.userId, settings.clock.now()],
            )
            if (!open) throw new APIError('FORBIDDEN', { code: ACCOUNT_CLOSED, message: 'The account is closed.' })
            return { data: { ...session, openedByLink: context?.path === '/magic-link/verify' } }
          },
        },
      },
    },
    user: {
      modelName: 'users',
      fields: { ...TIMES, emailVerified: 'email_verified' },
      additionalFields: {
        role: { type: 'string', required: true, input: false },
        staffId: { type: 'string', required: false, input: false, fieldName: 'staff_id' },
        endsAt: { type: 'date', required: false, input: false, fieldName: 'ends_at' },
        disabledAt: { type: 'date', required: false, input: false, fieldName: 'disabled_at' },
      },
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
