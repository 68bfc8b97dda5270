import { z } from 'zod'
import { identity } from '../customers/schema.ts'
import { factBase } from '../intake/schema.ts'

/** A tag with a half-life holds while its strength is at least this. */
export const HELD_STRENGTH_MIN = 0.1
/** Tags on a person's card. */
export const MAIN_TAGS = 5
/** People whose tag one edit may change. */
export const EDIT_PEOPLE_MAX = 100_000
/** People that one edit may name by number. */
export const NAMED_PEOPLE_MAX = 10_000
/** Tags and groups together are read as a whole. */
export const TAGS_MAX = 2000
export const GROUPS_MAX = 200

/** manual: by hand. rule: by the segment of its rule. import: a source told it. wecom: kept alike with the channel's. */
export const TAG_SOURCES = ['manual', 'rule', 'import', 'wecom'] as const
export type TagSource = (typeof TAG_SOURCES)[number]

/** As people read it: no line breaks or other control characters. */
const tagName = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .regex(/^\P{Cc}+$/u, 'has a control character')
const description = z.string().trim().max(500)
const days = z.number().int().min(1).max(3650)
const strength = z.number().gt(0).max(1)

/** A source says that somebody has a tag, which is made where nobody knows it. */
export const tagFact = factBase
  .extend({
    kind: z.literal('tag'),
    identity,
    tag: tagName,
    /** Where the tag is new: the group that it goes to. */
    group: tagName.optional(),
    /** Over 0, up to 1; 1 when left out. */
    strength: strength.optional(),
    occurred_at: z.iso.datetime({ offset: true }),
    /** When the source took it back, or will. */
    removed_at: z.iso.datetime({ offset: true }).optional(),
  })
  .strict()
  .refine(
    (fact) => !fact.removed_at || new Date(fact.removed_at) >= new Date(fact.occurred_at),
    'removed_at is before occurred_at',
  )
export type TagFact = z.infer<typeof tagFact>

export const tagGroup = z.object({
  group_id: z.number().int(),
  name: z.string(),
  /** Tags of it, archived ones too. */
  tags: z.number().int(),
})
export type TagGroup = z.infer<typeof tagGroup>

export const tag = z.object({
  tag_id: z.number().int(),
  name: z.string(),
  group_id: z.number().int().nullable(),
  group: z.string().nullable(),
  description: z.string().nullable(),
  /** It holds for so many times 24 hours; null: no such end. */
  life_days: z.number().int().nullable(),
  /** Its strength halves in so many times 24 hours; null: it stays. */
  half_life_days: z.number().int().nullable(),
  /** The segment that gives and takes it; null: none. */
  rule_segment: z.string().nullable(),
  rule_segment_id: z.number().int().nullable(),
  archived_at: z.iso.datetime().nullable(),
  /** Who has it as of the answer's instant. */
  people: z.number().int(),
})
export type Tag = z.infer<typeof tag>

/** Groups by name, tags by group and name. */
export const tagList = z.object({ as_of: z.iso.datetime(), groups: z.array(tagGroup), tags: z.array(tag) })
export type TagList = z.infer<typeof tagList>

export const groupCommand = z.object({ name: tagName }).strict()
export const groupAnswer = z.object({ group_id: z.number().int(), name: z.string() })
export type GroupAnswer = z.infer<typeof groupAnswer>

const decays = { life_days: days.nullable().optional(), half_life_days: days.nullable().optional() }

export const tagCommand = z
  .object({
    name: tagName,
    group_id: z.number().int().positive().nullable().optional(),
    description: description.nullable().optional(),
    ...decays,
  })
  .strict()
export type TagCommand = z.infer<typeof tagCommand>

/** What is left out stays as it is. */
export const tagChange = tagCommand.partial().extend({ is_archived: z.boolean().optional() }).strict()
export type TagChange = z.infer<typeof tagChange>

export const tagAnswer = tag.omit({ people: true })
export type TagAnswer = z.infer<typeof tagAnswer>

/** A tag that somebody has or had is archived instead of deleted. */
export const tagRemoval = z.object({
  tag_id: z.number().int(),
  is_deleted: z.boolean(),
  /** Who has it now, of everybody. */
  people: z.number().int(),
})
export type TagRemoval = z.infer<typeof tagRemoval>

/** A tag that somebody has, from whatever sources. */
export const heldTag = z.object({
  tag_id: z.number().int(),
  tag: z.string(),
  group: z.string().nullable(),
  sources: z.array(z.enum(TAG_SOURCES)),
  /** The strongest of its sources, at the answer's instant. */
  strength: z.number(),
  /** The latest time that it was given. */
  given_at: z.iso.datetime(),
  /** When it ends with nothing done to it; null: it does not. */
  lapses_at: z.iso.datetime().nullable(),
  /** It cannot be taken by hand: its rule alone holds it. */
  is_by_rule_alone: z.boolean(),
  is_archived: z.boolean(),
  /** One of the five on the card. */
  is_main: z.boolean(),
})
export type HeldTag = z.infer<typeof heldTag>

/** One time that somebody was given a tag, and how it ended. */
export const tagRecord = z.object({
  assignment_id: z.number().int(),
  tag_id: z.number().int(),
  tag: z.string(),
  source: z.enum(TAG_SOURCES),
  /** The source of facts that told it. */
  origin: z.string().nullable(),
  /** As it was given. */
  strength: z.number(),
  given_at: z.iso.datetime(),
  given_by: z.string().nullable(),
  /** Of what a rule gave: `fact`, `time`, `definition`, `cuts`, `value` or `settings` of its segment, or `rule`. */
  given_cause: z.string().nullable(),
  given_fact_id: z.number().int().nullable(),
  lapses_at: z.iso.datetime().nullable(),
  /** When its source ended it. */
  ends_at: z.iso.datetime().nullable(),
  removed_at: z.iso.datetime().nullable(),
  removed_by: z.string().nullable(),
  /** Of what a rule took: as above. */
  removed_cause: z.string().nullable(),
  removed_fact_id: z.number().int().nullable(),
})
export type TagRecord = z.infer<typeof tagRecord>

/** The main tags first, in their order, then the others in the same. History: the latest 200, newest first. */
export const personTags = z.object({
  person_id: z.number().int(),
  as_of: z.iso.datetime(),
  tags: z.array(heldTag),
  history: z.array(tagRecord),
})
export type PersonTags = z.infer<typeof personTags>

/** The segment that is to give and take the tag. */
export const ruleCommand = z.object({ segment_id: z.number().int().positive() }).strict()

export const giveCommand = z.object({ tag_id: z.number().int().positive(), strength: strength.optional() }).strict()

export const editCommand = z
  .object({
    verb: z.enum(['give', 'take']),
    tag_id: z.number().int().positive(),
    person_ids: z.array(z.number().int().positive()).min(1).max(NAMED_PEOPLE_MAX),
    /** Of a tag that is given; 1 when left out. */
    strength: strength.optional(),
  })
  .strict()

/** What an edit did: asked = changed + unchanged + kept_by_rule. */
export const editAnswer = z.object({
  edit_id: z.number().int(),
  tag_id: z.number().int(),
  verb: z.enum(['give', 'take']),
  asked: z.number().int(),
  changed: z.number().int(),
  /** Who had it just so, or had it not. */
  unchanged: z.number().int(),
  /** Who has it by its rule alone: that is not taken by hand. */
  kept_by_rule: z.number().int(),
})
export type EditAnswer = z.infer<typeof editAnswer>

export const undoAnswer = z.object({
  edit_id: z.number().int(),
  /** People who are again as they were before the edit. */
  restored: z.number().int(),
  /** People whose tag somebody changed after the edit: they stay as they are. */
  left_alone: z.number().int(),
})
export type UndoAnswer = z.infer<typeof undoAnswer>

export const tagEdit = z.object({
  edit_id: z.number().int(),
  tag_id: z.number().int(),
  tag: z.string(),
  verb: z.enum(['give', 'take']),
  people: z.number().int(),
  done_at: z.iso.datetime(),
  done_by: z.string(),
  undone_at: z.iso.datetime().nullable(),
})
/** The latest 50, newest first; an adviser's are their own. */
export const tagEdits = z.object({ edits: z.array(tagEdit) })
export type TagEdits = z.infer<typeof tagEdits>
