import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openApiDocument } from '../../src/bin/openapi.ts'

const OUTPUT_BYTES_MAX = 32 * 1024 * 1024

/** The document that the server's own routes describe, and its TypeScript types for the console's client. */
export async function openApiFiles(): Promise<{ json: string; types: string }> {
  const json = `${JSON.stringify(await openApiDocument(), null, 2)}\n`
  return { json, types: await openApiTypes(json) }
}

/** In a process of its own: openapi-typescript wants TypeScript 5, everything else here is on 7. */
async function openApiTypes(json: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-gen-'))
  try {
    const input = join(folder, 'openapi.json')
    await writeFile(input, json)
    const command = join(createRequire(import.meta.url).resolve('openapi-typescript'), '../../bin/cli.js')
    const { stdout } = await promisify(execFile)(process.execPath, [command, input], {
      cwd: folder,
      maxBuffer: OUTPUT_BYTES_MAX,
    })
    return `// Made by \`npm run gen\` from generated/openapi.json; do not edit.\n\n${stdout.trim()}\n`
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
