import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const MAJOR_MIN = 24

// npm 10 links no .bin/node for the packaged Node, so without with-node.mjs either of these would be the user's own.
test('tests run under the pinned Node', () => {
  assert.ok(Number(process.versions.node.split('.')[0]) >= MAJOR_MIN, process.version)
})

test('a child process that says "node" gets the pinned one too', () => {
  const version = execFileSync('node', ['-p', 'process.versions.node'], { encoding: 'utf8' })
  assert.ok(Number(version.split('.')[0]) >= MAJOR_MIN, version)
})
