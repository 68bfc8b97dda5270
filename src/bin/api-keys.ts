import { createApiKey, createWebhook, listApiKeys, revokeApiKey, revokeWebhook } from '../modules/intake/actions.ts'
import { API_SCOPES, type ApiScope } from '../modules/intake/schema.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { openVault } from '../platform/secrets.ts'
import { WEBHOOK_KEY_FILE } from './access.ts'
import { type Command, type CommandInput, choice, table, UsageError, withBrand } from './command.ts'

const createKey: Command = {
  name: 'api-key-create',
  summary: 'Make a key with which a program sends facts or asks about people. It is shown once.',
  positionals: ['NAME'],
  flags: {
    scope: {
      type: 'string',
      multiple: true,
      value: 'SCOPE',
      help: `what it may do, once for each: ${API_SCOPES.join(', ')}`,
    },
  },
  usesBrand: true,
  run: (input) => {
    const scopes = readScopes(input)
    return withBrand(input, async (database, brand) => {
      const name = input.positionals[0] ?? ''
      const made = await database.transaction((tx) =>
        createApiKey(tx, brand.key, { name, scopes }, systemClock.now(), atTerminal()),
      )
      if (isRefusal(made)) return made
      return {
        json: { ...made, brand: brand.key },
        text: `${made.key}\nIt is not shown again. Key ${made.key_id} of ${brand.name} may: ${made.scopes.join(', ')}.\n`,
      }
    })
  },
}

/** @throws UsageError when none is named: what a key may do is said, not guessed. */
function readScopes({ values }: CommandInput): ApiScope[] {
  const given = Array.isArray(values.scope) ? values.scope : []
  const scopes = given.flatMap((scope) => choice('scope', scope, API_SCOPES) ?? [])
  if (scopes.length === 0) throw new UsageError(`Say what the key may do: --scope ${API_SCOPES.join(' --scope ')}.`)
  return scopes
}

const listKeys: Command = {
  name: 'api-key-list',
  summary: 'The keys of programs: what they may do and when they were last used.',
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const api_keys = await listApiKeys(database.db)
      const rows = api_keys.map((key) => [
        String(key.key_id),
        key.name,
        key.scopes.join(', '),
        key.last_used_at ?? 'never',
        key.revoked_at ?? '',
      ])
      const text =
        rows.length > 0 ? table(['id', 'name', 'may', 'last used', 'revoked'], rows) : 'There are no keys yet.\n'
      return { json: { api_keys }, text }
    }),
}

const revokeKey: Command = {
  name: 'api-key-revoke',
  summary: 'Refuse a key from its next request on. KEY_ID is the number that api-key-list shows.',
  positionals: ['KEY_ID'],
  flags: {},
  usesBrand: true,
  run: (input) => {
    const keyId = readId('KEY_ID', input)
    return withBrand(input, async (database) => {
      const revoked = await database.transaction((tx) => revokeApiKey(tx, keyId, systemClock.now(), atTerminal()))
      if (isRefusal(revoked)) return revoked
      return {
        json: revoked,
        text: `Key ${revoked.key_id} (${revoked.name}) is refused since ${revoked.revoked_at}.\n`,
      }
    })
  },
}

const createWebhookSource: Command = {
  name: 'webhook-create',
  summary: 'Let a system push facts of SOURCE by signed webhook. The secret is shown once.',
  positionals: ['SOURCE'],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database, brand) => {
      const vault = openVault(input.config.home, WEBHOOK_KEY_FILE)
      const made = await database.transaction((tx) =>
        createWebhook(tx, vault, input.positionals[0] ?? '', systemClock.now(), atTerminal()),
      )
      if (isRefusal(made)) return made
      const base = input.config.publicUrl ?? `http://127.0.0.1:${input.config.port}`
      const url = new URL(`/api/v1/webhooks/${encodeURIComponent(made.source)}?brand=${brand.key}`, base).toString()
      return {
        json: { ...made, brand: brand.key, url },
        text: `${made.secret}\nIt is not shown again. Deliver to ${url}\n`,
      }
    }),
}

const revokeWebhookSource: Command = {
  name: 'webhook-revoke',
  summary: 'Refuse deliveries signed with the secret of WEBHOOK_ID from the next one on.',
  positionals: ['WEBHOOK_ID'],
  flags: {},
  usesBrand: true,
  run: (input) => {
    const webhookId = readId('WEBHOOK_ID', input)
    return withBrand(input, async (database) => {
      const revoked = await database.transaction((tx) => revokeWebhook(tx, webhookId, systemClock.now(), atTerminal()))
      if (isRefusal(revoked)) return revoked
      return { json: revoked, text: `Deliveries of ${revoked.source} by secret ${revoked.webhook_id} are refused.\n` }
    })
  },
}

function readId(name: string, { positionals }: CommandInput): number {
  const text = positionals[0] ?? ''
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`${name} is a number, not "${text}".`)
  return Number(text)
}

export const ACCESS_COMMANDS: readonly Command[] = [
  createKey,
  listKeys,
  revokeKey,
  createWebhookSource,
  revokeWebhookSource,
]
