import { makeDemoBrand, PEOPLE_DEFAULT, PEOPLE_RANGE, readPeople } from '../../demo/make.ts'
import type { ImportReport } from '../modules/intake/schema.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { type Command, table, text, UsageError, withInstallation } from './command.ts'

/** A million people take twenty minutes and more: each file is said when it is in. */
function sayFile(begun: Date): (report: ImportReport) => void {
  return ({ file_name, rows_in }) => {
    if (!process.stderr.isTTY) return
    const seconds = Math.round((systemClock.now().getTime() - begun.getTime()) / 1000)
    process.stderr.write(`${file_name}: ${rows_in.toLocaleString('en-US')} rows, ${seconds} s after the beginning\n`)
  }
}

export const demoCommand: Command = {
  name: 'demo',
  summary: 'Make the demo brand, a wine club, anew: its dates end now. What was in it goes.',
  positionals: [],
  flags: {
    people: { type: 'string', value: 'N', help: `how many people, up to 1,000,000 (default: ${PEOPLE_DEFAULT})` },
  },
  usesBrand: false,
  run: async ({ config, values }) => {
    const people = readPeople(text(values.people), PEOPLE_DEFAULT)
    if (people === undefined) throw new UsageError(`--people takes ${PEOPLE_RANGE}, not "${values.people}".`)
    return withInstallation(config, async (installation) => {
      const begun = systemClock.now()
      const known = (await installation.brands()).find((brand) => brand.isDemo)
      if (known) await installation.dropBrand(known.key)
      const reports = await makeDemoBrand(installation, begun, people, sayFile(begun))
      if (isRefusal(reports)) return reports
      const seconds = (systemClock.now().getTime() - begun.getTime()) / 1000
      const files = reports.map(({ file_name, kind, source, rows_in, rows_rejected }) => ({
        file_name,
        kind,
        source,
        rows_in,
        rows_rejected,
      }))
      return {
        json: { brand: 'demo', people, seconds, files },
        text: [
          `A wine club of ${people.toLocaleString('en-US')} people in ${seconds.toFixed(1)} s.\n`,
          table(
            ['file', 'source', 'rows', 'rejected'],
            files.map((file) => [file.file_name, file.source, file.rows_in, file.rows_rejected]),
          ),
          'Next: ./perennial brief --brand demo\n',
        ].join(''),
      }
    })
  },
}
