import { z } from 'zod'

/**
 * How a file's columns become facts. Written as YAML, shipped or by the user; what is not in it is not read.
 * The kind's module says which fields there are (commerce: orders).
 */
export const mapping = z
  .object({
    name: z.string().min(1).max(60),
    kind: z.enum([
      'orders',
      'people',
      'connections',
      'memberships',
      'interactions',
      'reviews',
      'consents',
      'referral_claims',
      'tags',
    ]),
    /** Names the system the file comes from: ids of different sources never meet by chance. */
    source: z.string().min(1).max(60),
    /** ISO 4217 of the amounts, when the file has no currency column. */
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .optional(),
    /** IANA zone of naive times; the brand's when absent. */
    zone: z.string().optional(),
    /** How 1/2/2010 is read; dates that begin with the year need none. */
    date_order: z.enum(['ymd', 'mdy', 'dmy']).default('ymd'),
    /** excel: a bare number in a time column is a spreadsheet's serial day (40887 is 2011-12-10). */
    dates: z.enum(['text', 'excel']).optional(),
    /** The decimal sign. Without it 1,234 is read as thousands, and 1,23 as a decimal comma. */
    decimal: z.enum(['point', 'comma']).optional(),
    /** field -> prefix, or prefixes, that its values lose: the first that fits (NASAW00011000 -> AW00011000). */
    strip_prefix: z.record(z.string(), z.union([z.string().min(1), z.array(z.string().min(1)).min(1)])).optional(),
    /** Documents whose id begins so are cancellations. */
    cancel_prefix: z.string().min(1).max(20).optional(),
    /** field -> the names its column may have; the first that the file has is taken. */
    columns: z.record(z.string(), z.array(z.string().min(1)).min(1)),
    /** field -> the source's word: ours. 收藏: like. A word that is not listed stays as it is. */
    values: z.record(z.string(), z.record(z.string(), z.string())).optional(),
    /** field -> its value where the file has none. */
    defaults: z.record(z.string(), z.string().min(1)).optional(),
    /** Fields that only the first row of an order has: its other rows, as far as they follow at once, take them from it. */
    carry_down: z.array(z.string()).min(1).optional(),
    /** field -> the values of which a row must have one to be taken: { status: [paid] }. */
    only: z.record(z.string(), z.array(z.string()).min(1)).optional(),
    options: z.record(z.string(), z.string()).default({}),
  })
  .strict()
export type Mapping = z.infer<typeof mapping>

/** Why a row was not stored. The text people read is in REJECT_TEXTS. */
export const REJECT_TEXTS = {
  column_count: 'has another number of fields than the header',
  nul_byte: 'has a NUL byte',
  field_too_long: 'has a field longer than 2,000 characters',
  id_too_long: 'has an id longer than 200 characters',
  amount_too_large: 'has an amount beyond any order (over 100,000,000,000)',
  missing_order_id: 'has no order id',
  missing_paid_at: 'has no time of payment',
  bad_time: 'has a time that is none',
  bad_version: 'has a sequence that is no whole number, or an updated-at that is no time',
  bad_number: 'has a quantity, price, amount or rating that is not a number',
  missing_time: 'has no time at which it happened',
  missing_field: 'has a field empty that its kind needs',
  bad_value: 'has a value that its field cannot have: map the word under `values`',
  ended_before_begun: 'ends before it begins',
  missing_amount: 'has neither an amount nor a quantity and a price',
  mixed_refund:
    'belongs to a document whose total is negative but that has positive lines: it cannot be told what was refunded',
  missing_identity: 'names nobody: it has no id, phone or e-mail that can be one',
  erased: 'names somebody who was erased: nothing of them is taken in or written down',
  self_referral: 'names the same identity as referrer and invitee',
  other_currency: "has another currency than the brand's",
  future_time: 'has a time in the future',
  conflicting_customer: 'belongs to an order with two customers',
  conflicting_shared_by: 'belongs to an order that two people shared',
  conflicting_refund_of: 'belongs to a refund that names two orders: give each its own document',
  order_has_bad_row: 'belongs to an order another row of which was rejected: an order is stored whole or not at all',
  left_out: 'is left out by the rule `only` of its mapping: it is not paid, for instance',
  cancel_dropped: 'is a cancellation, left out by cancels=drop',
  zero_price_dropped: 'has no price, left out by zero_price=drop',
} as const
export type RejectReason = keyof typeof REJECT_TEXTS

/** What a row became: a staged row, or why not. `unit` is what it would have been part of, and is then rejected whole. */
export type MappedRow<Row> =
  | { readonly ok: true; readonly row: Row }
  | { readonly ok: false; readonly reason: RejectReason; readonly unit: string | undefined }

/** Why a killed import cannot be gone on with. */
export const NOT_RESUMED_TEXTS = {
  no_checkpoint: 'it had not come as far as its first checkpoint',
  bad_checkpoint: 'its checkpoint cannot be read',
  rows_missing: 'what it had read is not there any more',
  file_changed: 'the file has changed since',
  mapping_changed: 'the mapping is another',
  options_changed: 'the options are others',
  currency_changed: "the brand's currency is another",
  somebody_erased: 'somebody was erased since, who may stand in it',
  program_changed: 'it was read by another version of Perennial',
} as const
export type NotResumed = keyof typeof NOT_RESUMED_TEXTS

/** What an import did. rows_in = rows_stored + rows_merged + rows_rejected, always. */
export const importReport = z.object({
  import_id: z.number().int().nullable(),
  dry_run: z.boolean(),
  file_name: z.string(),
  mapping: z.string(),
  kind: mapping.shape.kind,
  source: z.string(),
  options: z.record(z.string(), z.string()),
  rows_in: z.number().int(),
  /** Rows that became part of a version of a document. */
  rows_stored: z.number().int(),
  /** Rows that said nothing new: exact repeats (duplicates=merge) and documents known with the same body. */
  rows_merged: z.number().int(),
  rows_rejected: z.number().int(),
  rejected_by_reason: z.record(z.string(), z.number().int()),
  /** Path of the CSV with every rejected row, its line and reason; null when there is none. */
  rejects_file: z.string().nullable(),
  /** People that the file's rows belong to. */
  people: z.number().int(),
  /** Orders in the file that are stored (new, corrected or known before). */
  orders: z.number().int(),
  /** Refund and cancel documents in the file that are stored. */
  refunds: z.number().int(),
  /** Refund documents of the file of which a part found no earlier line to reduce. */
  unmatched_refunds: z.number().int(),
  unmatched_refunds_minor: z.number().int(),
  currency: z.string(),
  /** Orders and refunds by what happened to them. */
  documents_new: z.number().int(),
  documents_corrected: z.number().int(),
  documents_known: z.number().int(),
  /** Kept, but a version that the source ranks higher is in force. */
  documents_stale: z.number().int(),
  seconds: z.number(),
  /** The first row that this import read of its file, when it went on with one that was killed; rows_in + 1: none. */
  resumed_at_row: z.number().int().nullable(),
  /** Why a killed import of this file was begun anew. */
  not_resumed: z.enum(Object.keys(NOT_RESUMED_TEXTS) as [NotResumed, ...NotResumed[]]).nullable(),
  /** The first 20 rows as they were mapped; of a dry run only. */
  sample: z.array(z.record(z.string(), z.unknown())).optional(),
})
export type ImportReport = z.infer<typeof importReport>

/** Somebody as a row names them. */
export const namedIdentity = z.object({ kind: z.string(), namespace: z.string(), value: z.string() })
/** What a field of a row was read as. */
export const previewCell = z.union([z.string(), z.array(namedIdentity)])
export type PreviewCell = z.infer<typeof previewCell>

const rejectReason = z.enum(Object.keys(REJECT_TEXTS) as [RejectReason, ...RejectReason[]])

/** A row as it was read, or why it would be rejected. */
export const previewRow = z.object({
  line: z.number().int(),
  cells: z.record(z.string(), previewCell).nullable(),
  reason: rejectReason.nullable(),
})
export type PreviewRow = z.infer<typeof previewRow>

export const importPreview = z.object({
  /** Fields that the mapping has to have a column for and has not; then no row is read. */
  missing: z.array(z.string()),
  /** The first 20 at most. */
  rows: z.array(previewRow),
})
export type ImportPreview = z.infer<typeof importPreview>

/** An import of a file, as it ended. */
export const importListing = z.object({
  import_id: z.number().int(),
  file_name: z.string(),
  mapping_name: z.string(),
  source: z.string(),
  finished_at: z.iso.datetime(),
  rows_in: z.number().int(),
  rows_stored: z.number().int(),
  rows_merged: z.number().int(),
  rows_rejected: z.number().int(),
  /** When it was taken back; null: it stands. */
  undone_at: z.iso.datetime().nullable(),
  undone_by: z.string().nullable(),
})
export type ImportListing = z.infer<typeof importListing>

export const undoReport = z.object({
  import_id: z.number().int(),
  /** Facts that nothing but this import had brought. */
  facts_retracted: z.number().int(),
  /** Facts of which an earlier version is in force again. */
  facts_restored: z.number().int(),
})
export type UndoReport = z.infer<typeof undoReport>

/** Beyond this a file is copied to the server and imported there by command. */
export const UPLOAD_BYTES_MAX = 2_000_000_000
/** A part of an upload: it is held in memory until it is written. */
export const PART_BYTES_MAX = 4 * 1024 * 1024

/** How an uploaded file is to be imported. */
export const importWish = z
  .object({
    mapping,
    /** Left out: nobody said which shop it is from, so it has to look like those that came from the mapping's before. */
    source: z.string().trim().min(1).max(60).optional(),
    /** Of a workbook, where it is not the first. */
    sheet: z
      .string()
      .min(1)
      .max(100)
      .regex(/^[^/\\\0]+$/)
      .optional(),
    /** Over those of the mapping. */
    options: z.record(z.string().max(60), z.string().max(200)).default({}),
    /** Mixed into the demo brand on purpose. */
    into_demo: z.boolean().default(false),
    /** Into a brand of this name, which the import makes. */
    new_brand: z.string().trim().min(1).max(60).optional(),
  })
  .strict()
export type ImportWish = z.infer<typeof importWish>

const problem = z.object({ code: z.string(), message: z.string(), remedy: z.string() })

/** What is being done, or was done last, with an uploaded file. */
const importTask = importWish.extend({
  /** Key of the brand that was shown when it was asked for; left out: one's own, made where there is none. */
  into_brand: z.string().optional(),
  kind: z.enum(['dry_run', 'import']),
  /** failed: by no fault of the file; the server's log says more. cancelled: somebody did not want it any more. */
  state: z.enum(['waiting', 'running', 'done', 'refused', 'failed', 'cancelled']),
  asked_by: z.string(),
  asked_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  report: importReport.omit({ rejects_file: true, sample: true }).nullable(),
  /** Key of the brand that it went to; null of a dry run for a brand that is not there yet. */
  brand: z.string().nullable(),
  problem: problem.nullable(),
})
export type ImportTask = z.infer<typeof importTask>

/** How far a task is. */
const taskProgress = z.object({
  phase: z.enum(['waiting', 'reading', 'applying', 'storing', 'settling', 'cancelling']),
  rows: z.number().int(),
  /** Of the phase, 0 to 1; null where nobody can tell. */
  share: z.number().nullable(),
  /** Of the phase. */
  remaining_seconds: z.number().int().nullable(),
  /** First of all rows that it went on with; null: it began with the first. */
  resumed_at_row: z.number().int().nullable(),
})
export type TaskProgress = z.infer<typeof taskProgress>

export const upload = z.object({
  upload_id: z.string(),
  file_name: z.string(),
  bytes: z.number().int(),
  bytes_received: z.number().int(),
  uploaded_by: z.string(),
  created_at: z.iso.datetime(),
  /** Not any more once it was imported, or was thrown away. */
  has_content: z.boolean(),
  has_rejects: z.boolean(),
  task: importTask.extend({ progress: taskProgress.nullable() }).nullable(),
})
export type Upload = z.infer<typeof upload>

const account = z.object({ kind: z.literal('user'), id: z.string(), name: z.string() })

/** An upload as it is kept on disk. */
export const uploadRecord = upload.pick({ upload_id: true, file_name: true, bytes: true, created_at: true }).extend({
  by: account,
  task: importTask.nullable(),
  /** Who asked for it. */
  asker: account.nullable(),
  /** Name of the file of rows that the last task rejected. */
  rejects: z.string().nullable(),
})
export type UploadRecord = z.infer<typeof uploadRecord>

/** What the page of a file needs to ask how it is to be read. */
export const uploadGuess = z.object({
  /** `words`: all values of a column that has few; else none. */
  columns: z.array(z.object({ name: z.string(), samples: z.array(z.string()), words: z.array(z.string()) })),
  /** The line, or row of a sheet, with the names of the columns: what is above it is not read. */
  header_line: z.number().int(),
  guess: z
    .object({
      mapping,
      confidence: z.number(),
      is_sure: z.boolean(),
      columns: z.array(
        z.object({ field: z.string(), column: z.string(), confidence: z.number(), evidence: z.array(z.string()) }),
      ),
    })
    .nullable(),
  /** Every kind of file, with the fields that its columns may be. */
  kinds: z.array(
    z.object({
      kind: mapping.shape.kind,
      fields: z.array(z.string()),
      /** The names by which a column is known for a field, and the words that values are known by. */
      known: mapping.pick({ columns: true, values: true }).nullable(),
    }),
  ),
  /** Where files came from before, the latest first. */
  sources: z.array(z.object({ source: z.string(), files: z.number().int(), last_file: z.string() })),
  /** Whether the guess's own source may be taken without asking: it is new, or has files like this one. */
  is_source_known: z.boolean(),
  /** Where it would go: `is_new` where that brand is made by the import; `currency` null where none is settled yet. */
  target: z.object({
    name: z.string(),
    is_new: z.boolean(),
    demo_name: z.string().nullable(),
    currency: z.string().nullable(),
  }),
})
export type UploadGuess = z.infer<typeof uploadGuess>

/** Imports as the console lists them. */
export const importsAnswer = z.object({
  imports: z.array(
    importListing.extend({
      has_rejects: z.boolean(),
      /** It is being taken back right now. */
      is_undoing: z.boolean(),
      /** Why it could not be taken back when that was tried last. */
      undo_problem: problem.nullable(),
    }),
  ),
})

/** Facts in one request. */
export const FACTS_MAX = 1000

/** What every fact says besides its own fields: where it comes from, and its id there. Together they are its identity. */
export const factBase = z.object({
  source: z.string().min(1).max(60),
  external_id: z.string().min(1).max(200),
  /** When the source last changed it: of two versions the later one counts, whichever arrives first. */
  updated_at: z.iso.datetime({ offset: true }).optional(),
  /** Instead of `updated_at`: the source's own count of its changes. A source keeps to one of the two. */
  sequence: z.number().int().min(0).optional(),
})

/** The rank of a fact's version as text, see `versionRank`; null: the source said none. */
export function versionOf(fact: {
  readonly updated_at?: string | undefined
  readonly sequence?: number | undefined
}): string | null {
  return fact.sequence === undefined ? (fact.updated_at ?? null) : String(fact.sequence)
}

/** What became of one fact, in the order of the request. */
export const factResult = z.object({
  external_id: z.string().nullable(),
  /**
   * new; corrected: it replaced another body; known: it said nothing new; stale: kept, but a version that its source ranks
   * higher is in force; refused: see error, nothing of it is stored.
   */
  status: z.enum(['new', 'corrected', 'known', 'stale', 'refused']),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
})
export type FactResult = z.infer<typeof factResult>

/** What a key of the API may do. */
export const API_SCOPES = ['facts:write', 'people:read', 'metrics:read'] as const
export type ApiScope = (typeof API_SCOPES)[number]

export const apiKey = z.object({
  key_id: z.number().int(),
  name: z.string(),
  scopes: z.array(z.string()),
  created_at: z.iso.datetime(),
  /** To the minute; null: never. */
  last_used_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  /** Id of the account that made it, without which it does not work; null: made at the terminal of the server. */
  created_by: z.string().nullable(),
})
export type ApiKey = z.infer<typeof apiKey>

export const newApiKey = z.object({
  key_id: z.number().int(),
  name: z.string(),
  scopes: z.array(z.string()),
  /** `pk_<brand>_<32 letters and digits>`: shown once. */
  key: z.string(),
})
export type NewApiKey = z.infer<typeof newApiKey>

export const webhookSource = z.object({
  webhook_id: z.number().int(),
  source: z.string(),
  created_at: z.iso.datetime(),
  revoked_at: z.iso.datetime().nullable(),
})
export type WebhookSource = z.infer<typeof webhookSource>

export const newWebhook = z.object({
  webhook_id: z.number().int(),
  source: z.string(),
  /** `whsec_<base64>`: shown once. */
  secret: z.string(),
})
export type NewWebhook = z.infer<typeof newWebhook>

/** A delivery by webhook as it came (Standard Webhooks). */
export interface SignedDelivery {
  /** `webhook-id`: the same for every try of one delivery. */
  readonly id: string
  /** `webhook-timestamp`: seconds since 1970. */
  readonly timestamp: string
  /** `webhook-signature`: one or more, with spaces between. */
  readonly signatures: string
  /** The very bytes that were signed. */
  readonly body: Buffer
}

/** Facts of one request. Each is judged by itself, so here they are anything. */
export const factsRequest = z.object({ facts: z.array(z.unknown()) }).strict()
export const factsAnswer = z.object({ results: z.array(factResult) })

/** What a webhook brings. */
export const deliveryBody = factsRequest.extend({ type: z.literal('facts') }).strict()
/** known: this delivery took effect before, and nothing was done. */
export const deliveryAnswer = z.object({ status: z.enum(['stored', 'known']), results: z.array(factResult) })
