import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/*
 * Erasure works on two temporary tables of one transaction:
 *
 *   erased_identities  identity_id, person_id: the nodes that go, with every person that facts of theirs are kept under
 *   erased_facts       fact_id, is_kept: facts that named one; a kept one may come again without a person
 */

export async function createErasedTables(tx: Sql): Promise<void> {
  await sql`create temp table erased_identities (identity_id bigint, person_id bigint) on commit drop`.execute(tx)
  await sql`create temp table erased_facts (fact_id bigint, is_kept boolean) on commit drop`.execute(tx)
}

/** Facts that have not yet followed an identity stand under the person it left. */
export async function insertUnfollowed(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from intake.pending_moves m using (select distinct identity_id from erased_identities) e
      where m.identity_id = e.identity_id returning m.identity_id, m.person_id
    )
    insert into erased_identities select distinct identity_id, person_id from gone`.execute(tx)
}

/**
 * What intake keeps of facts: earlier versions of who is erased go, whoever they say it of now. A kept fact loses the hash of
 * its body, which could be guessed from whom it named, for one of `salt`, which is random and kept nowhere; any other loses its place in the inbox too, because its id may name
 * them as well.
 */
export async function eraseVersions(tx: Sql, salt: Buffer): Promise<void> {
  await sql`
    with gone as (
      delete from intake.bodies b
      where b.identity_ids && (select coalesce(array_agg(identity_id), '{}') from erased_identities)
      returning b.fact_id, b.body_hash
    )
    delete from intake.versions v using gone g where v.fact_id = g.fact_id and v.body_hash = g.body_hash`.execute(tx)
  await sql`delete from intake.versions v using erased_facts f where v.fact_id = f.fact_id`.execute(tx)
  await sql`delete from intake.bodies b using erased_facts f where b.fact_id = f.fact_id`.execute(tx)
  await sql`
    update intake.inbox i set body_hash = sha256(${salt}::bytea || convert_to(i.external_id, 'UTF8'))
    from erased_facts f where f.is_kept and i.fact_id = f.fact_id`.execute(tx)
  await sql`
    delete from intake.inbox i using erased_facts f where not f.is_kept and i.fact_id = f.fact_id`.execute(tx)
}

export async function insertErasure(
  tx: Sql,
  erasure: { marks: readonly string[]; by: string | null; now: Date },
): Promise<{ erasure_id: number; facts: number }> {
  const { marks, by, now } = erasure
  const { rows } = await sql<{ erasure_id: number; facts: number }>`
    insert into intake.erasures (erased_at, erased_by, identities, facts)
    select ${now}, ${by}, ${marks.length}, (select count(distinct fact_id) from erased_facts)
    returning erasure_id, facts`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The erasure was not noted')
  await sql`
    insert into intake.erased (identity_hash, erasure_id)
    select decode(unnest(${marks}::text[]), 'hex'), ${row.erasure_id} on conflict do nothing`.execute(tx)
  return row
}

/** Grows with every erasure; 0 when there was none. */
export async function selectLastErasure(db: Sql): Promise<number> {
  const { rows } = await sql<{ last: number }>`
    select coalesce(max(erasure_id), 0) as last from intake.erasures`.execute(db)
  return rows[0]?.last ?? 0
}

export async function selectErasedMarks(db: Sql): Promise<string[]> {
  const { rows } = await sql<{ mark: string }>`
    select encode(identity_hash, 'hex') as mark from intake.erased`.execute(db)
  return rows.map((row) => row.mark)
}

/** Rows of a person by the name of the table; every table given has a person_id. */
export type PersonRows = Readonly<Record<string, readonly object[]>>

/** All that tables of the caller's own schema have of a person, as it stands. */
export async function selectPersonRows(
  db: Sql,
  schema: string,
  tables: readonly string[],
  personId: number,
): Promise<PersonRows> {
  const found: Record<string, readonly object[]> = {}
  for (const table of tables) {
    const { rows } = await sql<{ row: object }>`
      select to_jsonb(t) as row from ${sql.ref(schema)}.${sql.ref(table)} t where person_id = ${personId}`.execute(db)
    found[table] = rows.map(({ row }) => row)
  }
  return found
}

/** Earlier versions of facts that name one of these identities. */
export async function selectEarlierVersions(db: Sql, identityIds: readonly number[]): Promise<object[]> {
  const { rows } = await sql<{ row: object }>`
    select jsonb_build_object('fact_id', fact_id, 'body', body) as row from intake.bodies
    where identity_ids && ${identityIds}::bigint[] order by fact_id`.execute(db)
  return rows.map(({ row }) => row)
}
