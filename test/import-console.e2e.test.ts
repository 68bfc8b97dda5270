import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Upload } from '../src/modules/intake/schema.ts'
import { cookieOf } from './http.ts'
import { makeHome, type Server } from './product.ts'

// A file that was brought by the console is imported by the server, and by the next one when that is killed.

/** More than one checkpoint apart from its end. */
const ROWS = 120_000
const PART_BYTES = 4_000_000

test('an import of the console goes on where it stopped when the server is killed and started again', async (t) => {
  const home = await makeHome(t)
  const path = join(home.folder, 'orders.csv')
  const rows = ['order_id,customer_id,paid_at,item,quantity,unit_price']
  for (let row = 0; row < ROWS; row += 1) {
    rows.push(`${row},C${row % 5000},2026-0${(row % 9) + 1}-1${row % 10} 10:20,item-${row % 300},1,${(row % 90) + 0.5}`)
  }
  await writeFile(path, `${rows.join('\n')}\n`)

  const first = await home.start(['--empty'])
  const opened = await fetch(first.signInUrl ?? '', { redirect: 'manual' })
  const cookie = cookieOf(opened)
  const ask = async (server: Server, url: string, init: { method?: string; body?: unknown; bytes?: Buffer } = {}) => {
    const { body, bytes } = init
    const response = await fetch(server.url + url, {
      method: init.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        cookie,
        origin: server.url,
        ...(bytes ? { 'content-type': 'application/octet-stream' } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: bytes ? new Uint8Array(bytes) : body === undefined ? null : JSON.stringify(body),
    })
    assert.ok(response.ok, `${url}: ${response.status} ${await response.clone().text()}`)
    return (await response.json()) as Record<string, unknown>
  }

  const content = await readFile(path)
  const { upload_id: id } = await ask(first, '/api/v1/uploads', {
    body: { file_name: 'orders.csv', bytes: content.length },
  })
  for (let from = 0; from < content.length; from += PART_BYTES) {
    const bytes = content.subarray(from, from + PART_BYTES)
    await ask(first, `/api/v1/uploads/${id}/content?from=${from}`, { method: 'PUT', bytes })
  }
  const { guess } = (await ask(first, `/api/v1/uploads/${id}/guess`)) as { guess: { mapping: object } }
  await ask(first, `/api/v1/uploads/${id}/import`, { body: { mapping: guess.mapping, dry_run: false } })
  const read = async (server: Server) => (await ask(server, `/api/v1/uploads/${id}`)) as unknown as Upload
  let killedAt = 0
  for (let tries = 0; tries < 1000 && killedAt === 0; tries += 1) {
    const { task } = await read(first)
    assert.notEqual(task?.state, 'done', 'it ended before it could be killed')
    const { phase, rows: done = 0 } = task?.progress ?? {}
    if (phase === 'reading' && done > 52_000) killedAt = done
    else await sleep(10)
  }
  await first.kill()

  const second = await home.start()
  let upload = await read(second)
  for (let tries = 0; tries < 3600 && upload.task?.state !== 'done'; tries += 1) {
    assert.notEqual(upload.task?.state, 'failed')
    await sleep(50)
    upload = await read(second)
  }
  const report = upload.task?.report
  assert.deepEqual([report?.rows_in, report?.rows_stored, report?.orders, report?.people], [ROWS, ROWS, ROWS, 5000])
  assert.ok(report?.resumed_at_row, 'it began with the first row again')
  assert.ok(
    report.resumed_at_row > 1 && report.resumed_at_row <= killedAt + 1,
    `${report.resumed_at_row} of ${killedAt}`,
  )
  const brief = JSON.parse((await home.cli(['brief', '--json'])).stdout) as { orders: number; people: number }
  assert.deepEqual([brief.orders, brief.people], [ROWS, 5000])
})
