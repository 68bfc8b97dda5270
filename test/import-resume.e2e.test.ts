import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeHome } from './product.ts'
import { root } from './server.ts'

/** More than one checkpoint apart from its end. */
const ROWS = 120_000

test('a killed import goes on at the row where it stopped, and the command line says so', async (t) => {
  const home = await makeHome(t)
  const folder = join(home.folder, 'files')
  await mkdir(folder)
  const path = join(folder, 'orders.csv')
  const rows = Array.from({ length: ROWS }, (_, index) => `o${index},c${index % 5000},2025-03-04,tea,1,${index % 90}.5`)
  await writeFile(path, `order_id,customer_id,paid_at,item,quantity,unit_price\n${rows.join('\n')}\n`)

  const { DATABASE_URL, ...environment } = process.env
  const killed = spawn(process.execPath, ['src/bin/cli.ts', 'import', path, '--mapping', 'orders'], {
    cwd: root,
    env: { ...environment, PERENNIAL_HOME: home.folder },
    stdio: 'ignore',
  })
  const exited = once(killed, 'exit')
  const runs = join(home.folder, 'imports')
  let saved = 0
  while (saved === 0) {
    assert.equal(killed.exitCode, null, 'it was over before the kill')
    await sleep(5)
    for (const name of await readdir(runs).catch(() => [])) {
      const checkpoint = await readFile(join(runs, name, 'checkpoint'), 'utf8').catch(() => '{}')
      saved = Math.max(saved, (JSON.parse(checkpoint) as { rows_read?: number }).rows_read ?? 0)
    }
  }
  killed.kill('SIGKILL')
  await exited

  const again = await home.cli(['import', path, '--mapping', 'orders', '--json'])
  assert.equal(again.code, 0, again.stderr)
  const said = /^Resuming at row ([\d,]+)\.$/m.exec(again.stderr)?.[1]
  const report = JSON.parse(again.stdout) as Record<string, unknown>
  assert.ok(Number(report.resumed_at_row) > saved, `${report.resumed_at_row}`)
  assert.equal(said, Number(report.resumed_at_row).toLocaleString('en-US'))
  assert.deepEqual([report.rows_in, report.rows_stored, report.documents_new], [ROWS, ROWS, ROWS])
  assert.deepEqual(await readdir(runs), ['lock'])
})
