import { changeSettings, readSettingsAnswer } from '../modules/brand/actions.ts'
import { type SettingsAnswer, type SettingsChange, settingsChange } from '../modules/brand/schema.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal, refuse } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { type Command, type CommandInput, UsageError, withBrand } from './command.ts'

/** What Settings › Brand of the console shows and changes; with everybody computed anew where that is due. */
export const settingsCommand: Command = {
  name: 'settings',
  summary: 'Rules of the brand: shows them, or changes those that --set names and has everybody follow.',
  positionals: [],
  flags: {
    set: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      help: 'may be repeated; a list as 5,20,60, "none" where a setting can be without a value',
    },
  },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const wanted = readChange(input)
      if (Object.keys(wanted).length === 0) return answerOf(await readSettingsAnswer(database.db))
      const read = settingsChange.safeParse(wanted)
      if (!read.success) {
        const [issue] = read.error.issues
        const place = issue?.path[0] === undefined ? '' : `${String(issue.path[0])}: `
        return refuse(
          'invalid',
          'invalid_setting',
          `${place}${issue?.message}.`,
          'docs/definitions.md lists all settings.',
        )
      }
      const changed = await changeSettings(
        database,
        read.data as SettingsChange,
        atTerminal('settings'),
        systemClock.now(),
      )
      if (isRefusal(changed)) return changed
      await catchUp(database, systemClock)
      return answerOf(await readSettingsAnswer(database.db))
    }),
}

function answerOf(answer: SettingsAnswer) {
  const lines = Object.entries(answer).map(
    ([name, value]) =>
      `${name.padEnd(24)} ${value === null ? 'none' : Array.isArray(value) ? value.join(', ') : value}`,
  )
  return { json: answer, text: `${lines.join('\n')}\n` }
}

/** @throws UsageError for what is no NAME=VALUE. */
function readChange({ values }: CommandInput): Record<string, unknown> {
  const set = (Array.isArray(values.set) ? values.set : []).map(String)
  return Object.fromEntries(
    set.map((text) => {
      const [, name, value] = /^([a-z_]+)=(.+)$/.exec(text) ?? []
      if (name === undefined || value === undefined) throw new UsageError(`--set ${text}: write NAME=VALUE.`)
      return [name, readValue(value)]
    }),
  )
}

const isNumber = (text: string) => /^-?\d+(\.\d+)?$/.test(text.trim())

function readValue(text: string): unknown {
  if (text === 'none') return null
  if (text === 'true' || text === 'false') return text === 'true'
  const parts = text.split(',')
  if (parts.every(isNumber)) return parts.length > 1 ? parts.map(Number) : Number(text)
  return text
}
