import { readFreshness } from '../modules/relationship/actions.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import { inspectCluster } from '../platform/embedded-postgres.ts'
import type { Brand, Installation } from '../platform/installation.ts'
import { isRefusal, refuse } from '../platform/refusal.ts'
import { findLeftOver, removeLeftOver } from '../platform/restore.ts'
import { type Command, EXIT, withInstallation } from './command.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Where the data lies, whether PostgreSQL runs, which brands there are, what is left over.',
  positionals: [],
  flags: {
    'remove-left-over': {
      type: 'boolean',
      help: 'remove the databases that are left over, but those in which somebody works',
    },
  },
  usesBrand: false,
  run: async ({ config, values }) => {
    const server = config.databaseUrl
      ? null
      : await inspectCluster({ home: config.home, pgBin: config.pgBin, root: config.root })
    const found = await lookInside(config, server?.state, values['remove-left-over'] === true)
    const answer = {
      home: config.home,
      node: process.versions.node,
      database: server
        ? {
            kind: 'embedded',
            state: server.state,
            location: server.location,
            major: server.major ?? null,
            port: server.port ?? null,
            settings: server.settings,
          }
        : {
            kind: 'external',
            state: found.problem ? 'unreachable' : 'running',
            location: null,
            major: null,
            port: null,
            settings: {},
          },
      brands: found.brands,
      problems: found.problem ? [found.problem] : [],
      orphans: server?.orphans ?? [],
      databases_left_over: found.leftOver,
      databases_removed: found.removed,
    }
    const lines = [
      `data folder  ${answer.home}`,
      `node         ${answer.node}`,
      `database     ${answer.database.kind}, ${answer.database.state}${answer.database.major ? `, PostgreSQL ${answer.database.major}` : ''}${answer.database.port ? `, port ${answer.database.port}` : ''}`,
      ...(answer.database.location ? [`cluster      ${answer.database.location}`] : []),
      ...answer.brands.map(
        (brand) =>
          `brand        ${brand.key}${brand.is_current ? ' (current)' : ''}: ${brand.name}${waitingText(brand)}`,
      ),
      ...answer.orphans.map(
        (orphan) => `left over    ${orphan}: its data folder is gone; delete it when you do not need it`,
      ),
      ...answer.databases_removed.map((name) => `removed      database ${name}`),
      ...answer.databases_left_over.map(leftOverText),
      ...answer.problems.map((problem) => `problem      ${problem}`),
    ]
    return { json: answer, text: `${lines.join('\n')}\n`, exit: answer.problems.length > 0 ? EXIT.failed : EXIT.done }
  },
}

/** Nulls where the brand's database does not answer: the others are listed all the same. */
function freshnessOf(installation: Installation, brand: Brand) {
  return installation
    .openBrand(brand)
    .then(({ db }) => readFreshness(db, systemClock.now()))
    .catch(() => ({ pending_people: null, oldest_pending_seconds: null }))
}

function waitingText({
  pending_people: people,
  oldest_pending_seconds: seconds,
}: Awaited<ReturnType<typeof freshnessOf>>): string {
  if (people === null) return '; its database does not answer'
  if (seconds === null) return ''
  return `; ${people.toLocaleString('en-US')} people wait to be computed anew, the first for ${seconds.toFixed(1)} s`
}

async function lookInside(config: Config, state: string | undefined, isRemoving: boolean) {
  const nothing = { brands: [], leftOver: [], removed: [], problem: undefined }
  // A cluster that was never made has no brands, and asking must not make it.
  if (state === 'absent') return nothing
  const found = await withInstallation(config, async (installation) => {
    const removed = isRemoving ? await removeLeftOver(installation) : []
    const leftOver = (await findLeftOver(installation)).map(({ name, bytes, isUsed }) => ({
      name,
      bytes,
      is_used: isUsed,
    }))
    const brands = await Promise.all(
      (await installation.brands()).map(async (brand) => ({
        key: brand.key,
        name: brand.name,
        is_demo: brand.isDemo,
        is_current: brand.isCurrent,
        ...(await freshnessOf(installation, brand)),
      })),
    )
    return { brands, leftOver, removed, problem: undefined }
  }).catch((error: Error) => refuse('missing', 'unreachable', error.message, ''))
  return isRefusal(found) ? { ...nothing, problem: `${found.message} ${found.remedy}`.trim() } : found
}

function leftOverText({
  name,
  bytes,
  is_used: isUsed,
}: Awaited<ReturnType<typeof lookInside>>['leftOver'][number]): string {
  const size = `${(bytes / 1e6).toFixed(0)} MB`
  if (isUsed) return `left over    database ${name}, ${size}: somebody works in it; a restore may be under way`
  return `left over    database ${name}, ${size}: of a restore or an import that was killed; doctor --remove-left-over removes it`
}
