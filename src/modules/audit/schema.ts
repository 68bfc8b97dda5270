import { z } from 'zod'

/** One write by a person or a program, or one export of people. */
export const auditEntry = z.object({
  entry_id: z.number().int(),
  done_at: z.iso.datetime(),
  actor: z.object({
    kind: z.enum(['user', 'api_key', 'webhook', 'command_line']),
    /** Of the account, key or webhook; null for the command line. */
    id: z.string().nullable(),
    name: z.string(),
  }),
  /** What was done: `api_key_create`. */
  operation: z.string(),
  /** On what, by id. */
  subjects: z.record(z.string(), z.unknown()),
  /** Which fields were set or changed; what they say is not kept here. */
  fields: z.array(z.string()),
})
export type AuditRow = z.infer<typeof auditEntry>

export const auditQuery = z.object({
  operation: z.string().max(60).optional(),
  /** Of an account, as `users` has it, or of a key. */
  actor_id: z.string().max(60).optional(),
  /** Keyset: the `next` of the page before. */
  after: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type AuditQuery = z.infer<typeof auditQuery>

/** The latest first. */
export const auditPage = z.object({ entries: z.array(auditEntry), next: z.number().int().nullable() })
export type AuditPage = z.infer<typeof auditPage>
