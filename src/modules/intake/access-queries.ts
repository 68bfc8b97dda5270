import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

export interface ApiKeyRow {
  readonly key_id: number
  readonly name: string
  readonly scopes: string[]
  readonly created_at: Date
  readonly last_used_at: Date | null
  readonly revoked_at: Date | null
  /** The account that made it; null: the terminal of the server. */
  readonly created_by: string | null
}

export async function insertApiKey(
  db: Sql,
  key: { name: string; hash: Buffer; scopes: readonly string[]; createdBy: string | null },
  now: Date,
): Promise<number> {
  const { rows } = await sql<{ key_id: number }>`
    insert into intake.api_keys (name, key_hash, scopes, created_at, created_by)
    values (${key.name}, ${key.hash}, ${key.scopes}::text[], ${now}, ${key.createdBy}) returning key_id`.execute(db)
  return rows[0]?.key_id ?? 0
}

export async function selectApiKeys(db: Sql): Promise<ApiKeyRow[]> {
  const { rows } = await sql<ApiKeyRow>`
    select key_id, name, scopes, created_at, last_used_at, revoked_at, created_by from intake.api_keys order by key_id`.execute(
    db,
  )
  return rows
}

type KnownKeyRow = Pick<ApiKeyRow, 'key_id' | 'name' | 'scopes' | 'last_used_at' | 'created_by'>

/** Keys that are not revoked, by the hash: one or none. */
export async function selectKeyByHash(
  db: Sql,
  hash: Buffer,
): Promise<(KnownKeyRow & { key_hash: Buffer }) | undefined> {
  const { rows } = await sql<KnownKeyRow & { key_hash: Buffer }>`
    select key_id, name, scopes, last_used_at, created_by, key_hash from intake.api_keys
    where key_hash = ${hash} and revoked_at is null`.execute(db)
  return rows[0]
}

export async function updateLastUsed(db: Sql, keyId: number, now: Date): Promise<void> {
  await sql`update intake.api_keys set last_used_at = ${now} where key_id = ${keyId}`.execute(db)
}

/** @returns the key as it is now, undefined when there is none such; a key revoked earlier keeps its time. */
export async function updateRevoked(db: Sql, keyId: number, now: Date): Promise<ApiKeyRow | undefined> {
  const { rows } = await sql<ApiKeyRow>`
    update intake.api_keys set revoked_at = coalesce(revoked_at, ${now}) where key_id = ${keyId}
    returning key_id, name, scopes, created_at, last_used_at, revoked_at, created_by`.execute(db)
  return rows[0]
}

export async function insertWebhookSource(db: Sql, source: string, sealed: Buffer, now: Date): Promise<number> {
  const { rows } = await sql<{ webhook_id: number }>`
    insert into intake.webhook_sources (source, sealed_secret, created_at)
    values (${source}, ${sealed}, ${now}) returning webhook_id`.execute(db)
  return rows[0]?.webhook_id ?? 0
}

const WEBHOOKS_MAX = 500

export async function selectWebhookSources(
  db: Sql,
): Promise<{ webhook_id: number; source: string; created_at: Date; revoked_at: Date | null }[]> {
  const { rows } = await sql<{ webhook_id: number; source: string; created_at: Date; revoked_at: Date | null }>`
    select webhook_id, source, created_at, revoked_at from intake.webhook_sources
    order by webhook_id desc limit ${WEBHOOKS_MAX}`.execute(db)
  return rows
}

/** The newest first: after a change of secrets it is the one in use. */
export async function selectSealedSecrets(db: Sql, source: string, limit: number): Promise<Buffer[]> {
  const { rows } = await sql<{ sealed_secret: Buffer }>`
    select sealed_secret from intake.webhook_sources where source = ${source} and revoked_at is null
    order by webhook_id desc limit ${limit}`.execute(db)
  return rows.map((row) => row.sealed_secret)
}

export async function updateWebhookRevoked(db: Sql, webhookId: number, now: Date): Promise<string | undefined> {
  const { rows } = await sql<{ source: string }>`
    update intake.webhook_sources set revoked_at = coalesce(revoked_at, ${now}) where webhook_id = ${webhookId}
    returning source`.execute(db)
  return rows[0]?.source
}

export async function hasReceipt(db: Sql, source: string, webhookId: string): Promise<boolean> {
  const { rows } = await sql`
    select from intake.webhook_receipts where source = ${source} and webhook_id = ${webhookId}`.execute(db)
  return rows.length > 0
}

const PRUNED_AT_ONCE = 1000

/** Notes a delivery that took effect, and lets go of some that are older than `keptFrom`. */
export async function insertReceipt(
  db: Sql,
  receipt: { source: string; webhookId: string; now: Date; keptFrom: Date },
): Promise<void> {
  await sql`
    insert into intake.webhook_receipts (source, webhook_id, received_at)
    values (${receipt.source}, ${receipt.webhookId}, ${receipt.now}) on conflict do nothing`.execute(db)
  await sql`
    delete from intake.webhook_receipts where (source, webhook_id) in (
      select source, webhook_id from intake.webhook_receipts where received_at < ${receipt.keptFrom}
      limit ${PRUNED_AT_ONCE} for update skip locked)`.execute(db)
}
