import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Actor, AuditEntry } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { randomBase62, randomSecret, sha256, type Vault } from '../../platform/secrets.ts'
import { recordAudit } from '../audit/actions.ts'
import * as queries from './access-queries.ts'
import type { ApiKey, ApiScope, NewApiKey, NewWebhook, SignedDelivery, WebhookSource } from './schema.ts'

const KEY_CHARACTERS = 32
const KEY_FORM = /^pk_([a-z][a-z0-9_]{0,30})_[A-Za-z0-9]{32}$/
const NAME_CHARACTERS_MAX = 100
const SOURCE_CHARACTERS_MAX = 60
const LAST_USED_STEP_MS = 60_000
const SECRET_PREFIX = 'whsec_'

/** Seconds that the sender's clock may be off, either way (Standard Webhooks). */
export const SIGNATURE_WINDOW_S = 300
const RECEIPTS_KEPT_MS = 4 * 24 * 3600 * 1000
const SECRETS_OF_A_SOURCE_MAX = 5
const SIGNATURES_MAX = 10
const DELIVERY_ID_CHARACTERS_MAX = 200

/** The brand that a key names; undefined when the text cannot be a key. */
export function brandKeyOf(key: string): string | undefined {
  return KEY_FORM.exec(key)?.[1]
}

/**
 * Makes a key of a brand. It is in the answer and nowhere else: the database has its hash. Like each verb below that names
 * its actor `by`, it is one transaction with its row in the audit log.
 */
export async function createApiKey(
  db: Sql,
  brandKey: string,
  wanted: { name: string; scopes: readonly ApiScope[] },
  now: Date,
  by?: Actor,
): Promise<NewApiKey | Refusal> {
  const name = wanted.name.trim()
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX) {
    const remedy = `Use 1 to ${NAME_CHARACTERS_MAX} characters that say what the key is for.`
    return refuse('invalid', 'bad_name', 'The key needs a name.', remedy)
  }
  const key = `pk_${brandKey}_${randomBase62(KEY_CHARACTERS)}`
  const scopes = [...new Set(wanted.scopes)]
  const createdBy = by?.kind === 'user' ? by.id : null
  const key_id = await queries.insertApiKey(db, { name, hash: sha256(key), scopes, createdBy }, now)
  if (by) await recordAudit(db, entryOf(by, 'api_key_create', { key_id }, ['name', 'scopes']), now)
  return { key_id, name, scopes, key }
}

export async function listApiKeys(db: Sql): Promise<ApiKey[]> {
  return (await queries.selectApiKeys(db)).map(toApiKey)
}

/** From the next request on the key is refused. Revoking twice is revoking once. */
export async function revokeApiKey(db: Sql, keyId: number, now: Date, by?: Actor): Promise<ApiKey | Refusal> {
  const row = await queries.updateRevoked(db, keyId, now)
  if (row && by) await recordAudit(db, entryOf(by, 'api_key_revoke', { key_id: keyId }), now)
  if (row) return toApiKey(row)
  return refuse('missing', 'no_such_key', `There is no key ${keyId}.`, 'See them all: ./perennial api-key-list')
}

function toApiKey(row: queries.ApiKeyRow): ApiKey {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    last_used_at: row.last_used_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
  }
}

/** What a key may do; undefined when there is none such, or it was revoked. Notes, to the minute, that it was used. */
export async function findApiKey(
  db: Sql,
  key: string,
  now: Date,
): Promise<{ keyId: number; name: string; scopes: readonly string[]; createdBy: string | null } | undefined> {
  const hash = sha256(key)
  const row = await queries.selectKeyByHash(db, hash)
  if (!row || !timingSafeEqual(row.key_hash, hash)) return undefined
  if (!row.last_used_at || now.getTime() - row.last_used_at.getTime() >= LAST_USED_STEP_MS) {
    await queries.updateLastUsed(db, row.key_id, now)
  }
  return { keyId: row.key_id, name: row.name, scopes: row.scopes, createdBy: row.created_by }
}

/** Lets a source push facts. The secret (`whsec_…`, base64) is in the answer and, sealed, in the database. */
export async function createWebhook(
  db: Sql,
  vault: Vault,
  source: string,
  now: Date,
  by?: Actor,
): Promise<NewWebhook | Refusal> {
  if (source.trim() !== source || source.length === 0 || source.length > SOURCE_CHARACTERS_MAX) {
    const remedy = `Use 1 to ${SOURCE_CHARACTERS_MAX} characters: what its facts say under "source".`
    return refuse('invalid', 'bad_source', `"${source}" cannot be a source.`, remedy)
  }
  const secret = randomSecret()
  const webhook_id = await queries.insertWebhookSource(db, source, await vault.seal(secret, contextOf(source)), now)
  if (by) await recordAudit(db, entryOf(by, 'webhook_create', { webhook_id }, ['source']), now)
  return { webhook_id, source, secret: SECRET_PREFIX + secret.toString('base64') }
}

export async function revokeWebhook(
  db: Sql,
  webhookId: number,
  now: Date,
  by?: Actor,
): Promise<{ webhook_id: number; source: string } | Refusal> {
  const source = await queries.updateWebhookRevoked(db, webhookId, now)
  if (source !== undefined && by) {
    await recordAudit(db, entryOf(by, 'webhook_revoke', { webhook_id: webhookId }), now)
  }
  if (source !== undefined) return { webhook_id: webhookId, source }
  return refuse('missing', 'no_such_webhook', `There is no webhook ${webhookId}.`, 'Use the number it was made with.')
}

/** Who may push facts, the latest first; their secrets are not in it. */
export async function listWebhooks(db: Sql): Promise<WebhookSource[]> {
  return (await queries.selectWebhookSources(db)).map((row) => ({
    ...row,
    created_at: row.created_at.toISOString(),
    revoked_at: row.revoked_at?.toISOString() ?? null,
  }))
}

function entryOf(
  actor: Actor,
  operation: string,
  subjects: Readonly<Record<string, number>>,
  fields: readonly string[] = [],
): AuditEntry {
  return { actor, operation, subjects, fields }
}

/** Binds a sealed secret to its source: the row of another source does not open under this one's name. */
function contextOf(source: string): string {
  return `webhook ${source}`
}

/**
 * Checks a delivery by the rules of Standard Webhooks: `v1,<base64 of HMAC-SHA256 of id.timestamp.body>`, one of several
 * signatures by one of the source's secrets, and a timestamp of about now.
 *
 * @returns whether this delivery has taken effect before; a refusal that does not say which of these was wrong when it
 * is the secret or the source, so that nobody learns which sources there are.
 */
export async function checkDelivery(
  db: Sql,
  vault: Vault,
  source: string,
  delivery: SignedDelivery,
  now: Date,
): Promise<'new' | 'known' | Refusal> {
  const { id, timestamp, signatures, body } = delivery
  const refusal = checkHeaders(delivery, now)
  if (refusal) return refusal
  const given = signatures
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice('v1,'.length), 'base64'))
  const sealed = await queries.selectSealedSecrets(db, source, SECRETS_OF_A_SOURCE_MAX)
  let isSigned = false
  for (const bytes of sealed) {
    const secret = await vault.open(bytes, contextOf(source))
    const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest()
    isSigned = given.some((one) => one.length === expected.length && timingSafeEqual(one, expected)) || isSigned
  }
  if (!isSigned) return badSignature('No signature fits the body.')
  return (await queries.hasReceipt(db, source, id)) ? 'known' : 'new'
}

function checkHeaders({ id, timestamp }: SignedDelivery, now: Date): Refusal | undefined {
  if (id.length === 0 || id.length > DELIVERY_ID_CHARACTERS_MAX)
    return badSignature('The header webhook-id is missing.')
  if (!/^\d{1,12}$/.test(timestamp)) return badSignature('The header webhook-timestamp is no number of seconds.')
  const off = Math.abs(now.getTime() / 1000 - Number(timestamp))
  if (off <= SIGNATURE_WINDOW_S) return undefined
  return badSignature(`The timestamp is ${Math.round(off)} s off; ${SIGNATURE_WINDOW_S} s are allowed.`)
}

function badSignature(message: string): Refusal {
  return refuse(
    'forbidden',
    'bad_signature',
    message,
    'Sign "id.timestamp.body" with the secret of ./perennial webhook-create (docs/guide/en/integrate.md).',
  )
}

/** From now on the same delivery is known. After its facts, so that one cut off between is stored when it comes again. */
export async function keepReceipt(database: Database, source: string, webhookId: string, now: Date): Promise<void> {
  const keptFrom = new Date(now.getTime() - RECEIPTS_KEPT_MS)
  await queries.insertReceipt(database.db, { source, webhookId, now, keptFrom })
}
