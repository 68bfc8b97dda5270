import { type ChildProcess, execFile as execFileWithCallback, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { SuiteContext, TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { scratchFolder } from './scratch.ts'
import { root } from './server.ts'

const execFile = promisify(execFileWithCallback)

/** All its stories, and made in a few seconds. */
const DEMO_PEOPLE = 1000
/** Env variable by which the runner names a data folder with the demo brand that is made and stopped, to be copied. */
export const DEMO_ENV = 'PERENNIAL_TEST_DEMO'
/** A first start makes a cluster and the demo brand, and may have to build the console. */
const START_MS_MAX = 120_000
/** The server gives requests and database 10 s each to finish. */
const STOP_MS_MAX = 25_000
const COMMAND_MS_MAX = 120_000

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Product {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string
  /** Signs the owner in, once. */
  readonly signInUrl: string
  readonly home: string
  /** Runs ./perennial on the same data folder. */
  cli(...args: string[]): Promise<Output>
  /** Stops the server and removes the data folder; happens at the test's end by itself. Idempotent. */
  stop(): Promise<void>
}

export interface ProductOptions {
  /** Begins with the demo brand in place of an empty one, a small one; `new` makes it, also where one could be copied. */
  readonly demo?: boolean | 'new'
  /** An order file for the mapping `orders`, imported as a user would. */
  readonly ordersFile?: string
}

/**
 * The whole product as `npm start` starts it, on a free port and a data folder of its own. A suite's hook has a context
 * without an end: there call `stop` in the suite's own `after`.
 */
export async function startProduct(t: TestContext | SuiteContext, options: ProductOptions = {}): Promise<Product> {
  const home = await makeHome(t)
  const made = process.env[DEMO_ENV]
  // Not fs.cp: PostgreSQL's files belong to its account.
  if (options.demo === true && made) await execFile('cp', ['-a', `${made}/.`, home.folder])
  const { url, signInUrl } = await home.start(options.demo ? ['--people', String(DEMO_PEOPLE)] : ['--empty'])
  if (!signInUrl) throw new Error('The server of a new data folder printed no sign-in link')
  const cli = (...args: string[]) => home.cli(args, { PORT: new URL(url).port })
  if (options.ordersFile) {
    const imported = await cli('import', options.ordersFile)
    if (imported.code !== 0) throw new Error(`The import ended with ${imported.code}:\n${wordsOf(imported)}`)
  }
  return { url, signInUrl, home: home.folder, cli, stop: home.remove }
}

/**
 * A data folder for DEMO_ENV: seven browser tests begin with a demo brand of their own, which takes 6 s of a processor to make.
 * Undefined where PostgreSQL's part of it lies elsewhere and a copy would not be whole.
 */
export async function makeDemo(): Promise<Home | undefined> {
  const home = await makeHome()
  try {
    const server = await home.start(['--people', String(DEMO_PEOPLE)])
    await server.signal('SIGTERM')
    if (existsSync(join(home.folder, 'postgres'))) return home
  } catch (error) {
    await home.remove()
    throw error
  }
  await home.remove()
  return undefined
}

export interface Home {
  /** The data folder (PERENNIAL_HOME). */
  readonly folder: string
  /**
   * Starts the server and waits until it is ready.
   * @throws Error with what it said, when it ends before it is.
   */
  start(args?: readonly string[], env?: Record<string, string>): Promise<Server>
  /** Starts the server to see it end. */
  startToEnd(args?: readonly string[], env?: Record<string, string>): Promise<Output>
  cli(args: readonly string[], env?: Record<string, string>): Promise<Output>
  /**
   * Many command lines in one process, which begins the program anew for each: for such as end before they open anything. Node
   * and the program take 0.6 s of a processor to load.
   */
  manyInOne(lines: readonly (readonly string[])[]): Promise<Output[]>
  /** Begins a command that the test may kill. */
  begin(args: readonly string[], env?: Record<string, string>): Killable
  /** Ends every server of this folder, its PostgreSQL too, and removes it. */
  remove(): Promise<void>
}

export interface Server {
  readonly url: string
  /** Undefined once the owner has a password: the server then prints none. */
  readonly signInUrl: string | undefined
  /** Lines on standard output so far, npm's own excluded. */
  readonly lines: readonly string[]
  /** Tells it to end. @returns its exit code, when it has ended. */
  signal(name: NodeJS.Signals): Promise<number>
  /** `kill -9` of the server alone: PostgreSQL stays. @returns when it is gone. */
  kill(): Promise<void>
  readonly hasEnded: boolean
}

export interface Killable {
  /** What became of it; a command that was killed has the code -1. */
  readonly ended: Promise<Output>
  /** `kill -9`; PostgreSQL stays where another program uses it. */
  kill(): void
}

/**
 * A data folder that is gone at the end of the test, with all that runs in it, however the test ends. A script that is
 * no test has no context: it calls `remove`, and what it leaves undone is done when its process is gone.
 */
export async function makeHome(t?: TestContext | SuiteContext): Promise<Home> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-product-'))
  // As root PostgreSQL runs under another account, which has to pass through this folder (mkdtemp makes it 0700).
  await chmod(folder, 0o755)
  const cleaner = startCleaner(folder)
  const running = new Set<ChildProcess>()
  let removing: Promise<void> | undefined

  function launch(args: readonly string[], env: Record<string, string>): ChildProcess {
    const server = launchGroup(['src/bin/server.ts', ...args], { PORT: '0', ...env })
    running.add(server)
    server.once('exit', () => running.delete(server))
    return server
  }

  function launchGroup(args: readonly string[], env: Record<string, string>): ChildProcess {
    const child = spawn(process.execPath, ['with-node.mjs', ...args], {
      cwd: root,
      env: { ...environment(folder), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that the cleaner reaches with-node.mjs and the program behind it at once.
      detached: true,
    })
    cleaner.alsoEnd(child)
    return child
  }

  async function remove(): Promise<void> {
    const refusing = (await Promise.all([...running].map(endOrKill))).filter((hasEnded) => !hasEnded)
    await cleaner.clean()
    if (refusing.length > 0) throw new Error(`A server did not end within ${STOP_MS_MAX / 1000} s of SIGTERM`)
  }

  const home: Home = {
    folder,
    start: (args = [], env = {}) => untilReady(launch(args, env)),
    startToEnd: (args = [], env = {}) => outputOf(launch(args, env), START_MS_MAX),
    cli: (args, env = {}) =>
      outputOf(
        spawn(join(root, 'perennial'), args, {
          // Not the checkout: the program finds itself wherever it is called from.
          cwd: tmpdir(),
          env: { ...environment(folder), ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
        COMMAND_MS_MAX,
      ),
    manyInOne: async (lines) => {
      const args = ['--input-type=module', '--eval', MANY_IN_ONE, JSON.stringify(lines)]
      const child = spawn(process.execPath, args, {
        cwd: root,
        env: environment(folder),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const { stdout } = await outputOf(child, COMMAND_MS_MAX)
      return JSON.parse(stdout)
    },
    begin: (args, env = {}) => {
      const child = launchGroup(['src/bin/cli.ts', ...args], env)
      return {
        ended: outputOf(child, COMMAND_MS_MAX, -1),
        kill: () => killGroup(child),
      }
    },
    remove: () => {
      removing ??= remove()
      return removing
    },
  }
  if (t && 'after' in t) t.after(home.remove)
  return home
}

const MANY_IN_ONE = `
  const write = process.stdout.write.bind(process.stdout)
  const outputs = []
  let output
  for (const name of ['stdout', 'stderr']) process[name].write = (text) => (output[name] += text) !== ''
  for (const [index, args] of JSON.parse(process.argv[1]).entries()) {
    output = { code: 0, stdout: '', stderr: '' }
    outputs.push(output)
    process.argv = [process.execPath, 'src/bin/cli.ts', ...args]
    process.exitCode = undefined
    await import('${new URL('../src/bin/cli.ts', import.meta.url)}?' + index)
    output.code = process.exitCode ?? 0
  }
  process.exitCode = 0
  write(JSON.stringify(outputs))
`

/** What the developer has set for a server of their own is not for this one. */
function environment(folder: string): NodeJS.ProcessEnv {
  const { DATABASE_URL, PUBLIC_URL, PORT, ...rest } = process.env
  return {
    ...rest,
    PERENNIAL_HOME: folder,
    // Where Node itself would put it. Stripping and compiling is 0.3 of the 0.8 s that a command takes.
    NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
  }
}

async function untilReady(server: ChildProcess): Promise<Server> {
  const lines: string[] = []
  const stderr = collect(server.stderr)
  const exited = once(server, 'exit')
  const { promise: ready, resolve } = Promise.withResolvers<'ready'>()
  if (server.stdout) {
    createInterface(server.stdout).on('line', (line) => {
      lines.push(line)
      // The line after "Perennial is ready at …" is the last one of a start.
      if (line.startsWith('Sign in ')) resolve('ready')
    })
  }
  const first = await within(START_MS_MAX, Promise.race([ready, exited]))
  const url = firstGroup(lines, /^Perennial is ready at (http:\/\/127\.0\.0\.1:\d+)$/)
  if (first !== 'ready' || !url) {
    throw new Error(`The server did not get ready:\n${lines.join('\n')}\n${stderr.text}`)
  }
  return {
    url,
    signInUrl: firstGroup(lines, /^Sign in once with (\S+) \(valid \d+ minutes\)$/),
    lines,
    signal: async (name) => {
      server.kill(name)
      return codeOf(await within(STOP_MS_MAX, exited))
    },
    kill: async () => {
      killGroup(server)
      await exited
    },
    get hasEnded() {
      return server.exitCode !== null || server.signalCode !== null
    },
  }
}

/** with-node.mjs and the program behind it, at once. PostgreSQL is a group of its own. */
function killGroup(child: ChildProcess): void {
  const hasEnded = child.exitCode !== null || child.signalCode !== null
  if (child.pid === undefined || hasEnded) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

async function outputOf(child: ChildProcess, limitMs: number, codeWhenKilled?: number): Promise<Output> {
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const closed = await within(limitMs, once(child, 'close'))
  if (!closed) child.kill('SIGKILL')
  const isKilled = closed?.[1] === 'SIGKILL' && codeWhenKilled !== undefined
  return { code: isKilled ? codeWhenKilled : codeOf(closed), stdout: stdout.text, stderr: stderr.text }
}

function collect(stream: Readable | null): { text: string } {
  const collected = { text: '' }
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    collected.text += chunk
  })
  return collected
}

/** @throws Error when it was ended from outside, or did not end in time. */
function codeOf(ended: unknown[] | undefined): number {
  const [code, signal] = ended ?? []
  if (typeof code === 'number') return code
  throw new Error(signal ? `It was ended by ${signal}` : 'It did not end in time')
}

function firstGroup(lines: readonly string[], pattern: RegExp): string | undefined {
  for (const line of lines) {
    const found = pattern.exec(line)?.[1]
    if (found) return found
  }
  return undefined
}

function wordsOf({ stdout, stderr }: Output): string {
  return `${stdout}${stderr}`
}

async function endOrKill(server: ChildProcess): Promise<boolean> {
  const exited = once(server, 'exit')
  server.kill('SIGTERM')
  return (await within(STOP_MS_MAX, exited)) !== undefined
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController()
  const late = sleep(limitMs, undefined, { signal: timer.signal }).catch(() => undefined)
  return await Promise.race([work, late]).finally(() => timer.abort())
}

/**
 * Ends what is left when it is told to, or when this process is gone: the kernel closes the pipe however that dies.
 * Servers first, because one whose PostgreSQL is stopped brings it back; watchdog.ts does the rest.
 */
const CLEANER = `
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do kill -9 -- "-$pid" 2>/dev/null; done
exec "$1" "$2" "$3"`

function startCleaner(folder: string) {
  const watchdog = join(import.meta.dirname, 'watchdog.ts')
  const cleaner = spawn('/bin/sh', ['-c', CLEANER, 'sh', process.execPath, watchdog, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  cleaner.unref()
  // Its end of the pipe may be gone first, and neither that nor an open pipe is a reason to fail or to wait.
  cleaner.stdin.on('error', () => {})
  if ('unref' in cleaner.stdin && typeof cleaner.stdin.unref === 'function') cleaner.stdin.unref()
  const exited = once(cleaner, 'exit')
  return {
    alsoEnd: (server: ChildProcess) => cleaner.stdin.write(`${server.pid}\n`),
    clean: async () => {
      cleaner.ref()
      cleaner.stdin.end()
      await exited
    },
  }
}
