import { resolve } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { backUp } from '../platform/backup.ts'
import type { Manifest } from '../platform/backup-archive.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { restoreBackup } from '../platform/restore.ts'
import { catchUp } from './catch-up.ts'
import { type Command, table, withInstallation } from './command.ts'

const backupCommand: Command = {
  name: 'backup',
  summary:
    'All brands and accounts into one file; the server may go on. FILE may be a folder: then it is named by the time.',
  positionals: ['FILE'],
  flags: {},
  usesBrand: false,
  run: ({ config, positionals }) =>
    withInstallation(config, async (installation) => {
      const now = systemClock.now()
      const path = resolve(positionals[0] ?? '')
      const made = await backUp(installation, path, { program: manifest.version, now })
      if (isRefusal(made)) return made
      const json = {
        file: made.path,
        bytes: made.bytes,
        taken_at: now.toISOString(),
        databases: made.databases.map(countDatabase),
        seconds: secondsSince(now),
      }
      const size = `${(made.bytes / 1e6).toFixed(1)} MB`
      const text = `${databasesText(json.databases)}\n${made.path}: ${size}, in ${json.seconds.toFixed(1)} s.\nNot in it: ${config.home}/secrets. Keep a copy of that folder apart from the backups.\n`
      return { json, text }
    }),
}

const restoreCommand: Command = {
  name: 'restore',
  summary: 'Put a backup in place of all that is there; who was erased since stays erased. Stop the server first.',
  positionals: ['FILE'],
  flags: {
    replace: {
      type: 'boolean',
      help: 'what is there is lost: every brand, every account, all that was stored since the backup',
    },
    'lost-erasure-key': {
      type: 'boolean',
      help: 'go on without the key of erasures: imports can then bring back who was erased before the backup',
    },
  },
  usesBrand: false,
  run: async ({ config, positionals, values }) => {
    const begun = systemClock.now()
    const command = {
      path: resolve(positionals[0] ?? ''),
      isReplacing: values.replace === true,
      isKeyLost: values['lost-erasure-key'] === true,
    }
    const restored = await restoreBackup(config, command, (database) => catchUp(database, systemClock))
    if (isRefusal(restored)) return restored
    const json = {
      taken_at: restored.taken_at,
      program: restored.program,
      databases: restored.databases.map(countDatabase),
      seconds: secondsSince(begun),
    }
    const text = `${databasesText(json.databases)}\nAs of ${json.taken_at}, in ${json.seconds.toFixed(1)} s. Everybody signs in again.\n`
    return { json, text }
  },
}

function countDatabase({ brand, brand_name, tables }: Manifest['databases'][number]) {
  return { brand, name: brand_name, tables: tables.length, rows: tables.reduce((sum, { rows }) => sum + rows, 0) }
}

function databasesText(databases: readonly ReturnType<typeof countDatabase>[]): string {
  const rows = databases.map(({ brand, name, tables, rows: count }) => [
    brand === null ? 'accounts, list of brands' : `${name} (${brand})`,
    tables,
    count,
  ])
  return table(['', 'tables', 'rows'], rows)
}

function secondsSince(begun: Date): number {
  return Math.round(systemClock.now().getTime() - begun.getTime()) / 1000
}

export const BACKUP_COMMANDS: readonly Command[] = [backupCommand, restoreCommand]
