// Runs a script under the pinned Node.js, whatever Node the user has.
//
//   node with-node.mjs SCRIPT [ARG…]
//
// The product's TypeScript runs by type stripping, which needs Node >= 24. The packages
// node-<os>-<cpu> bring that binary without an install script, but npm 10 links no .bin/node for
// them, so `node` in an npm script would still be the user's. This file finds the binary, puts its
// folder first in PATH (a child process that says "node" gets the same one) and hands over.
// Where no such package exists (macOS) the user's own Node serves, if it is new enough.
//
// It is plain JavaScript and imports nothing but node:, because it runs on Node 20 too, and before
// `npm ci` has finished.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAJOR_MIN = 24
const root = dirname(fileURLToPath(import.meta.url))

function majorOf(binary) {
  if (binary === process.execPath) return Number(process.versions.node.split('.')[0])
  const asked = spawnSync(binary, ['-p', 'process.versions.node'], { encoding: 'utf8' })
  return asked.status === 0 ? Number(asked.stdout.split('.')[0]) : 0
}

function findNode() {
  const packaged = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  // A package made for another C library (Alpine's musl) is there but cannot run: majorOf says 0.
  for (const binary of [packaged, process.execPath]) {
    if (existsSync(binary) && majorOf(binary) >= MAJOR_MIN) return binary
  }
  return undefined
}

const [script, ...args] = process.argv.slice(2)
if (!script) {
  console.error('usage: node with-node.mjs SCRIPT [ARG…]')
  process.exit(2)
}

const binary = findNode()
if (!binary) {
  console.error(
    `Perennial needs Node.js ${MAJOR_MIN} or newer and found ${process.version}. ` +
      `Run "npm ci" in ${root} (it brings one for Linux), or install Node.js ${MAJOR_MIN} yourself.`,
  )
  process.exit(1)
}

// V8 lets its nursery for young objects grow to 134 MB while a file is read. With half-spaces of 16 MB it stays at 34 MB, and
// reading takes no longer; below that more objects grow old before they die, and memory grows again. Old objects are looked at
// when they have doubled, not when they have tripled or quadrupled: the same file is read in the same time at a peak of 210 MB in
// place of 270 MB (at half as much again 190 MB, and a twentieth more processor).
const options = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16', '--heap-growing-percent=100']
// What was compiled and stripped of its types is kept, told by its content: a command begins in half of the time (0.45 s of
// processor in place of 0.9 s) and with 25 MB less. In the checkout, because in a temporary folder for all somebody else
// could put code there; where it cannot be written there is none.
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'node')
const child = spawn(binary, [...options, join(root, script), ...args], {
  stdio: 'inherit',
  env: {
    ...process.env,
    NODE_COMPILE_CACHE: compileCache,
    PATH: dirname(binary) + delimiter + (process.env.PATH ?? ''),
  },
})

// A terminal's Ctrl-C reaches the child by itself (same process group); a signal sent to this
// process alone, as a service manager does, is passed on. Either way the child decides when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
}
child.on('exit', (code, signal) => {
  process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1))
})
child.on('error', (error) => {
  console.error(`Cannot start ${binary}: ${error.message}`)
  process.exit(1)
})
