import { findPerson } from '../modules/customers/actions.ts'
import { setRule } from '../modules/segments/actions.ts'
import { editTags, findTag, listTags, undoTagEdit } from '../modules/tags/actions.ts'
import type { Tag } from '../modules/tags/schema.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { type Command, type CommandInput, table, text, UsageError, withBrand } from './command.ts'

/** Who did it: somebody at the machine's terminal. */
const BY = atTerminal()

const list: Command = {
  name: 'tags',
  summary: 'Every tag and its group, how it fades, and how many people have it now.',
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const answer = await listTags(database.db, systemClock.now())
      const rows = answer.tags.map((tag) => [tag.group ?? '', tag.name, tag.people, fadesText(tag), stateText(tag)])
      return {
        json: answer,
        text: rows.length > 0 ? table(['group', 'tag', 'people', 'fades', ''], rows) : 'There are no tags yet.\n',
      }
    }),
}

function fadesText({ life_days, half_life_days }: Tag): string {
  if (life_days !== null) return `after ${life_days} d`
  return half_life_days === null ? '' : `half in ${half_life_days} d`
}

function stateText({ archived_at, rule_segment }: Tag): string {
  if (archived_at !== null) return 'archived'
  return rule_segment === null ? '' : `by ${rule_segment}`
}

const give: Command = {
  name: 'tag-give',
  summary: 'Give one customer a tag, by hand (tag-undo takes it back).',
  positionals: ['TAG', 'KEY'],
  flags: { strength: { type: 'string', value: 'NUMBER', help: 'over 0, up to 1 (default: 1)' } },
  usesBrand: true,
  run: async (input) => {
    // Before the installation is opened: that may make a folder and start a server, for nothing.
    const strength = readStrength(text(input.values.strength))
    return edit(input, 'give', strength)
  },
}

function readStrength(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const strength = /^\d*\.?\d+$/.test(given) ? Number(given) : Number.NaN
  if (!(strength > 0 && strength <= 1)) throw new UsageError(`--strength is over 0 and up to 1, not "${given}".`)
  return strength
}

const take: Command = {
  name: 'tag-take',
  summary: 'Take a tag from one customer, by hand (tag-undo gives it back).',
  positionals: ['TAG', 'KEY'],
  flags: {},
  usesBrand: true,
  run: (input) => edit(input, 'take', undefined),
}

function edit(input: CommandInput, verb: 'give' | 'take', strength: number | undefined) {
  const [name = '', key = ''] = input.positionals
  return withBrand(input, async (database) => {
    const tag = await findTag(database.db, name)
    if (isRefusal(tag)) return tag
    const personId = await findPerson(database.db, key)
    if (isRefusal(personId)) return personId
    const command = { verb, tagId: tag.tag_id, people: [personId], strength, by: BY }
    const json = await editTags(database, systemClock, command)
    if (isRefusal(json)) return json
    await catchUp(database, systemClock)
    const had = verb === 'give' ? `${key} has "${tag.name}" just so already.` : `${key} does not have "${tag.name}".`
    const done = verb === 'give' ? `${key} has "${tag.name}" now.` : `${key} has "${tag.name}" no more.`
    const back = `Edit ${json.edit_id}: ./perennial tag-undo ${json.edit_id} takes it back.`
    return { json, text: json.changed > 0 ? `${done} ${back}\n` : `${had}\n` }
  })
}

const rule: Command = {
  name: 'tag-rule',
  summary: 'Have a segment give a tag to whoever is in it and take it from whoever leaves, or end that (--none).',
  positionals: ['TAG'],
  flags: {
    segment: { type: 'string', value: 'NUMBER', help: 'which segment gives and takes it from now on' },
    none: { type: 'boolean', help: 'no segment any more; nobody has it by a rule then' },
  },
  usesBrand: true,
  run: async (input) => {
    const given = text(input.values.segment)
    if ((given === undefined) !== (input.values.none === true)) {
      throw new UsageError('tag-rule takes --segment NUMBER or --none.')
    }
    const segmentId = given === undefined ? null : Number(/^\d{1,15}$/.test(given) ? given : Number.NaN)
    if (Number.isNaN(segmentId)) throw new UsageError(`--segment takes a segment's number, not "${given}".`)
    return withBrand(input, async (database) => {
      const tag = await findTag(database.db, input.positionals[0] ?? '')
      if (isRefusal(tag)) return tag
      const json = await setRule(database, systemClock, { tagId: tag.tag_id, segmentId, by: BY })
      if (isRefusal(json)) return json
      await catchUp(database, systemClock)
      const said =
        json.rule_segment === null
          ? `No segment gives "${tag.name}" any more.`
          : `The segment "${json.rule_segment}" gives and takes "${tag.name}".`
      return { json, text: `${said}\n` }
    })
  },
}

const undo: Command = {
  name: 'tag-undo',
  summary: 'Take an edit of tags back, by its number; whose tag was changed since is left alone.',
  positionals: ['EDIT'],
  flags: {},
  usesBrand: true,
  run: async (input) => {
    const editId = Number(input.positionals[0] || Number.NaN)
    if (!Number.isSafeInteger(editId))
      throw new UsageError(`tag-undo takes an edit's number, not "${input.positionals[0]}".`)
    return withBrand(input, async (database) => {
      const json = await undoTagEdit(database, systemClock, { editId, by: BY })
      if (isRefusal(json)) return json
      await catchUp(database, systemClock)
      const left = json.left_alone > 0 ? ` ${json.left_alone} were changed since and stay as they are.` : ''
      return { json, text: `${json.restored} people are as before.${left}\n` }
    })
  },
}

export const TAG_COMMANDS: readonly Command[] = [list, give, take, rule, undo]
