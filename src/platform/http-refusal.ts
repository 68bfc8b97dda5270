import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Refusal } from './refusal.ts'

const STATUS_BY_KIND = { invalid: 400, forbidden: 403, missing: 404, conflict: 409, over_limit: 429 } as const
/** Forbidden because nobody has said who they are: HTTP tells these apart. */
const UNAUTHENTICATED_CODES = ['not_signed_in', 'wrong_email_or_password', 'bad_key', 'bad_signature']

/** Every error leaves in this form. */
export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    kind: z.enum(['invalid', 'forbidden', 'missing', 'conflict', 'over_limit', 'failure']),
    message: z.string(),
    remedy: z.string(),
  }),
})

export function statusOf({ kind, code }: Refusal): number {
  return UNAUTHENTICATED_CODES.includes(code) ? 401 : STATUS_BY_KIND[kind]
}

export function refuseWith(reply: FastifyReply, refusal: Refusal, status = statusOf(refusal)): FastifyReply {
  return reply.code(status).send(toErrorBody(refusal))
}

export function toErrorBody({ code, kind, message, remedy }: Refusal): z.infer<typeof errorBody> {
  return { error: { code, kind, message, remedy } }
}
