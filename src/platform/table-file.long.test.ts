import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readElsewhere, writeBigCsv } from '../../test/table-files.ts'

test('1 GB is read in 300 MB of memory', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-table-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'big.csv')
  const rows = await writeBigCsv(path, 1_000_000_000)
  const read = await readElsewhere(path)
  assert.equal(read.rows, rows)
  assert.ok(read.rssMb <= 300, `${Math.round(read.rssMb)} MB`)
})
