import { recordAudit } from '../modules/audit/actions.ts'
import { readSettings } from '../modules/brand/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import { toWireUser } from '../platform/http-users.ts'
import type { Installation } from '../platform/installation.ts'
import { INVITATION_HOURS, invitationPath, invite, listInvitations } from '../platform/invitations.ts'
import { isRefusal, type Refusal } from '../platform/refusal.ts'
import { ROLES } from '../platform/roles.ts'
import { changeUser, findUserByEmail, listUsers, TERMINAL } from '../platform/users.ts'
import {
  type Answer,
  type Command,
  type CommandInput,
  choice,
  readInstant,
  table,
  text,
  UsageError,
  withInstallation,
} from './command.ts'

const users: Command = {
  name: 'users',
  summary: 'Accounts of this installation and invitations that are open.',
  positionals: [],
  flags: {},
  usesBrand: false,
  run: ({ config }) =>
    withInstallation(config, async (installation) => {
      const now = systemClock.now()
      const found = (await listUsers(installation.control, now)).map(toWireUser)
      const invitations = (await listInvitations(installation.control))
        .filter(({ acceptedAt, revokedAt, expiresAt }) => !acceptedAt && !revokedAt && expiresAt > now)
        .map(({ invitationId, name, email, role, expiresAt }) => ({
          invitation_id: invitationId,
          name,
          email,
          role,
          expires_at: expiresAt.toISOString(),
        }))
      const rows = [
        ...found.map((user) => [
          user.email,
          user.name,
          user.role,
          user.staff_id ?? '',
          user.ends_at ?? '',
          stateOf(user),
        ]),
        ...invitations.map((one) => [one.email, one.name, one.role, '', '', `invited until ${one.expires_at}`]),
      ]
      const header = ['e-mail', 'name', 'role', 'staff', 'until', '']
      const said =
        rows.length > 0 ? table(header, rows) : 'Nobody has an account yet: ./perennial sign-in makes the owner.\n'
      return { json: { users: found, invitations }, text: said }
    }),
}

function stateOf({ disabled_at: closed, sessions }: ReturnType<typeof toWireUser>): string {
  if (closed) return `closed since ${closed}`
  return sessions > 0 ? `signed in ${sessions} times` : ''
}

const inviteCommand: Command = {
  name: 'user-invite',
  summary: 'Invite somebody by a one-time link, which is printed once: nothing is sent.',
  positionals: ['NAME', 'EMAIL'],
  flags: {
    role: { type: 'string', value: 'ROLE', help: `what they may do: ${ROLES.join(', ')}` },
    staff: {
      type: 'string',
      value: 'ID',
      help: "an adviser's staff id, as connections name it: these people they see",
    },
    until: { type: 'string', value: 'TIME', help: 'when the account of an outside operator ends' },
  },
  usesBrand: false,
  run: (input) => {
    const role = choice('role', input.values.role, ROLES)
    if (!role) throw new UsageError(`Say what they may do: --role ${ROLES.join(', --role ')}.`)
    const [name = '', email = ''] = input.positionals
    return withInstallation(input.config, async (installation) => {
      const endsAt = readInstant('until', text(input.values.until), await zoneOf(installation)) ?? null
      const wanted = { name, email, role, staffId: text(input.values.staff) ?? null, endsAt }
      const made = await invite(installation.control, TERMINAL, wanted, systemClock.now())
      if (isRefusal(made)) return made
      const { invitation, token } = made
      await note(installation, 'invitation_create', { invitation_id: invitation.invitationId }, [
        'name',
        'email',
        'role',
      ])
      const url = consoleAddress(input.config, invitationPath(token))
      const json = {
        invitation_id: invitation.invitationId,
        email: invitation.email,
        role,
        expires_at: invitation.expiresAt.toISOString(),
        url,
      }
      return { json, text: `${url}\nIt is not shown again, works once, and for ${INVITATION_HOURS} hours.\n` }
    })
  },
}

const disable: Command = {
  name: 'user-disable',
  summary: 'Close an account: its sessions end at once, and nobody signs in with it.',
  positionals: ['EMAIL'],
  flags: {},
  usesBrand: false,
  run: (input) => setDisabled(input, true),
}

const enable: Command = {
  name: 'user-enable',
  summary: 'Open an account that was closed.',
  positionals: ['EMAIL'],
  flags: {},
  usesBrand: false,
  run: (input) => setDisabled(input, false),
}

function setDisabled({ config, positionals }: CommandInput, isDisabled: boolean): Promise<Answer | Refusal> {
  return withInstallation(config, async (installation) => {
    const now = systemClock.now()
    const found = await findUserByEmail(installation.control, positionals[0] ?? '', now)
    if (isRefusal(found)) return found
    const changed = await changeUser(installation.control, TERMINAL, found.userId, { isDisabled }, now)
    if (isRefusal(changed)) return changed
    await note(installation, 'user_change', { user_id: found.userId }, changed.fields)
    const state = isDisabled ? 'closed; its sessions have ended' : 'open'
    return { json: toWireUser(changed.user), text: `The account ${found.email} is ${state}.\n` }
  })
}

/** Into the log of the current brand, like what is done in the console; before the first brand there is none. */
async function note(
  installation: Installation,
  operation: string,
  subjects: Record<string, string | number>,
  fields: readonly string[],
): Promise<void> {
  const brand = await installation.currentBrand()
  if (!brand) return
  const { db } = await installation.openBrand(brand)
  await recordAudit(db, { actor: atTerminal(), operation, subjects, fields }, systemClock.now())
}

async function zoneOf(installation: Installation): Promise<string> {
  const brand = await installation.currentBrand()
  return brand ? (await readSettings((await installation.openBrand(brand)).db)).zone : 'UTC'
}

function consoleAddress({ publicUrl, port }: Config, path: string): string {
  return new URL(path, publicUrl ?? `http://127.0.0.1:${port}`).toString()
}

export const USER_COMMANDS: readonly Command[] = [users, inviteCommand, disable, enable]
