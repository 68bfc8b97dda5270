import { stringify } from 'yaml'
import { guessFile, type ImportProgress, type MappingGuess, SURE } from '../modules/intake/actions.ts'
import { type ImportReport, NOT_RESUMED_TEXTS } from '../modules/intake/schema.ts'
import { atTerminal } from '../platform/audit.ts'
import type { Brand } from '../platform/installation.ts'
import { formatMinor } from '../platform/money.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { type Command, type CommandInput, EXIT, table, text, UsageError, withInstallation } from './command.ts'
import { FILE_KINDS } from './file-kinds.ts'
import { importInto } from './import-into.ts'

/** The mapping of a file that comes without one; a guess that is not sure is shown to be mended. */
async function guess(path: string): Promise<MappingGuess | Refusal> {
  const guessed = await guessFile(path, FILE_KINDS)
  if (isRefusal(guessed)) return guessed
  if (guessed && guessed.confidence >= SURE) return guessed
  const remedy = 'Save a mapping as mapping.yaml and import with --mapping ./mapping.yaml, or name a shipped one.'
  if (!guessed) {
    return refuse('invalid', 'no_mapping_fits', `No column of ${path} is known, so no mapping can be guessed.`, remedy)
  }
  const reasons = guessed.columns.map(
    ({ field, column, confidence, evidence }) =>
      `#   ${field} <- ${column} (${confidence.toFixed(2)}): ${evidence.join(', ')}\n`,
  )
  const message = `How ${path} is to be read can only be half guessed (${guessed.confidence.toFixed(2)}, needed ${SURE}):\n`
  return refuse('invalid', 'unsure_mapping', `${message}\n${reasons.join('')}${stringify(guessed.mapping)}`, remedy)
}

export const importCommand: Command = {
  name: 'import',
  summary: 'Import orders, people or what they do (CSV, JSON lines, XLSX). The first real import makes your own brand.',
  positionals: ['FILE'],
  flags: {
    mapping: {
      type: 'string',
      value: 'NAME|FILE',
      help: 'how columns become facts: orders, people, interactions and more, or a YAML file (default: guessed)',
    },
    source: {
      type: 'string',
      value: 'NAME',
      help: 'the shop or system it is from, instead of what the mapping says: one name for each',
    },
    option: {
      type: 'string',
      multiple: true,
      value: 'KEY=VALUE',
      help: 'duplicates=keep|merge, cancels=reduce|drop, zero_price=keep|drop, connected_by=none|shop_account',
    },
    'dry-run': { type: 'boolean', help: 'do everything and store nothing; rejected rows are listed all the same' },
    'into-demo': { type: 'boolean', help: 'mix the file into the demo brand on purpose' },
  },
  usesBrand: true,
  run: (input) =>
    withInstallation(input.config, async (installation) => {
      const options = readOptions(input.values.option)
      const path = input.positionals[0] ?? ''
      const named = text(input.values.mapping)
      const source = text(input.values.source)
      if (source !== undefined && (source.trim() === '' || source.length > 60))
        throw new UsageError('--source takes a name of 1 to 60 characters.')
      const guessed = named === undefined ? await guess(path) : undefined
      if (isRefusal(guessed)) return guessed
      const goal = {
        brandKey: text(input.values.brand),
        isDryRun: input.values['dry-run'] === true,
        isIntoDemo: input.values['into-demo'] === true,
      }
      const done = await importInto(installation, goal, {
        path,
        mapping: guessed?.mapping ?? named ?? '',
        options,
        ...(source === undefined ? { isGuessed: guessed !== undefined } : { source }),
        by: atTerminal(),
        onProgress: progressLine(),
      })
      if (isRefusal(done)) return done
      const { report, brand, scratch } = done
      const exit = report.rows_rejected > 0 ? EXIT.doneWithRejects : EXIT.done
      return {
        json: { ...report, brand: scratch ? null : brand.key, guess: guessed ?? null },
        text: guessText(guessed) + importText(report, brand, scratch) + sampleText(report.sample ?? []),
        exit,
      }
    }),
}

function readOptions(given: CommandInput['values'][string]): Record<string, string> {
  const list = Array.isArray(given) ? given.map(String) : []
  return Object.fromEntries(
    list.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--option takes KEY=VALUE, not "${pair}".`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

const PROGRESS_ROWS = 20_000

/** What became of a killed import is said in any case; then one line on a terminal, rewritten in place. */
function progressLine(): (progress: ImportProgress) => void {
  const count = (rows: number) => rows.toLocaleString('en-US')
  const share = (done: number, total: number) => `${Math.floor((100 * done) / Math.max(total, 1))} %`
  let shown = -PROGRESS_ROWS
  const show = (rows: number, line: string) => {
    if (!process.stderr.isTTY || Math.abs(rows - shown) < PROGRESS_ROWS) return
    shown = rows
    process.stderr.write(`\r\x1b[K${line}`)
  }
  return (progress) => {
    const { phase, rows } = progress
    switch (phase) {
      case 'resuming':
        process.stderr.write(
          progress.isRead
            ? `All ${count(rows)} rows were read by an import that was ended: resuming at storing them.\n`
            : `Resuming at row ${count(rows + 1)}.\n`,
        )
        return
      case 'restarting':
        process.stderr.write(
          `Beginning anew, not where the last import of this file ended: ${NOT_RESUMED_TEXTS[progress.reason]}.\n`,
        )
        return
      case 'reading':
        show(rows, `${count(rows)} rows read (${share(progress.bytesRead, progress.bytesTotal)})`)
        return
      case 'applying':
        if (rows === progress.rowsTotal) shown = -PROGRESS_ROWS
        show(
          rows,
          rows < progress.rowsTotal
            ? `${count(rows)} rows handed over (${share(rows, progress.rowsTotal)})`
            : `${count(rows)} rows handed over, storing…\n`,
        )
    }
  }
}

function importText(report: ImportReport, brand: Brand, scratch: boolean): string {
  const reasons = Object.entries(report.rejected_by_reason).map(
    ([reason, count]) => `    ${reason}: ${count.toLocaleString('en-US')}\n`,
  )
  return [
    report.dry_run
      ? 'Dry run: nothing was stored.\n'
      : `Imported into ${brand.name} (${brand.key}) in ${report.seconds.toFixed(1)} s.\n`,
    table(
      ['', 'rows'],
      [
        ['in the file', report.rows_in],
        ['stored', report.rows_stored],
        ['merged (said nothing new)', report.rows_merged],
        ['rejected', report.rows_rejected],
      ],
    ),
    ...reasons,
    report.rejects_file ? `  every rejected row with its reason: ${report.rejects_file}\n` : '',
    countsText(report),
    scratch ? '' : `Next: ./perennial brief\n`,
  ].join('')
}

function countsText(report: ImportReport): string {
  const people = `${report.people.toLocaleString('en-US')} people, `
  if (report.kind !== 'orders') {
    const { documents_new, documents_corrected, documents_known } = report
    const [added, corrected, known] = [documents_new, documents_corrected, documents_known].map((count) =>
      count.toLocaleString('en-US'),
    )
    return `${people}${added} new, ${corrected} corrected, ${known} known before.\n`
  }
  return (
    `${people}${report.orders.toLocaleString('en-US')} orders, ${report.refunds.toLocaleString('en-US')} refunds; ` +
    `${report.unmatched_refunds.toLocaleString('en-US')} refunds found no earlier line for ${formatMinor(report.unmatched_refunds_minor, report.currency)} ${report.currency}.\n`
  )
}

function guessText(guessed: MappingGuess | undefined): string {
  if (!guessed) return ''
  const columns = guessed.columns.map(({ field, column }) => `${field} <- ${column}`).join(', ')
  return `Read by the mapping ${guessed.mapping.name} (${guessed.mapping.kind}), guessed: ${columns}.\n`
}

const CELL_CHARACTERS_MAX = 24

function sampleText(sample: readonly Readonly<Record<string, unknown>>[]): string {
  if (sample.length === 0) return ''
  const cell = (value: unknown) => {
    if (value === null || value === undefined || value === false) return ''
    const content = typeof value === 'object' ? JSON.stringify(value) : String(value)
    return content.length > CELL_CHARACTERS_MAX ? `${content.slice(0, CELL_CHARACTERS_MAX - 1)}…` : content
  }
  const names = Object.keys(sample[0] ?? {}).filter((name) => sample.some((row) => cell(row[name]) !== ''))
  const rows = sample.map((row) => names.map((name) => cell(row[name])))
  return `\nThe first ${sample.length} rows as they were read:\n${table(names, rows)}`
}
