import { LINK_MINUTES } from '../platform/accounts.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal, refuse } from '../platform/refusal.ts'
import { findUserByEmail } from '../platform/users.ts'
import { type Command, text, withInstallation } from './command.ts'

/** A new one-time link for the owner, who has lost the password or a terminal's scrollback. */
export const signIn: Command = {
  name: 'sign-in',
  summary: 'Print a one-time link that signs the owner in, or who --email names. The server must be running.',
  positionals: [],
  flags: { email: { type: 'string', value: 'EMAIL', help: 'whose account it opens (default: the owner’s)' } },
  usesBrand: false,
  run: ({ config, values }) =>
    withInstallation(config, async (installation) => {
      // Asked on this machine whatever the public address: a server need not be able to reach itself by that.
      const address = `http://127.0.0.1:${config.port}`
      const answers = await fetch(`${address}/healthz`).then(
        (response) => response.ok,
        () => false,
      )
      if (!answers) {
        return refuse(
          'missing',
          'no_server',
          `Nothing answers at ${address}.`,
          'Start it with npm start; if it uses another port, say PORT=… here too.',
        )
      }
      // Imported here: it is 0.4 s of start-up that no other command needs.
      const { createAuth } = await import('../platform/auth.ts')
      const auth = await createAuth(installation, { baseUrl: address, clock: systemClock })
      const email = text(values.email)
      const user =
        email === undefined ? undefined : await findUserByEmail(installation.control, email, systemClock.now())
      if (isRefusal(user)) return user
      const url = await auth.makeSignInLink(user?.email)
      return { json: { url, valid_minutes: LINK_MINUTES }, text: `${url}\n` }
    }),
}
