import { z } from 'zod'
import { factBase } from '../intake/schema.ts'

/** What a person can be known by (domain.md §0). Firm ones link always; a phone or e-mail while it looks like one person. */
export const IDENTITY_KINDS = {
  unionid: { isFirm: true, needsNamespace: false },
  /** namespace: the WeCom corp. */
  external_userid: { isFirm: true, needsNamespace: true },
  /** namespace: the app. */
  openid: { isFirm: true, needsNamespace: true },
  /** namespace: the source whose customer id it is. */
  own_id: { isFirm: true, needsNamespace: true },
  phone: { isFirm: false, needsNamespace: false },
  email: { isFirm: false, needsNamespace: false },
} as const
export type IdentityKind = keyof typeof IDENTITY_KINDS

export const identity = z
  .object({
    kind: z.enum(['unionid', 'external_userid', 'openid', 'own_id', 'phone', 'email']),
    /** The corp, app or source in which the value means something; empty for the kinds that are unique by themselves. */
    namespace: z.string().max(60).default(''),
    value: z.string().min(1).max(200),
  })
  .strict()
export type Identity = z.infer<typeof identity>

/** Fields of a person's record that a mapping may name. */
export const PEOPLE_FIELDS = {
  record_id: "the record's id in the source; else the first identity",
  own_id: "the customer's id in the source",
  unionid: 'WeChat unionid',
  external_userid: 'WeCom external_userid (namespace: option corp)',
  openid: 'openid of an Official Account or mini-program (namespace: option app)',
  phone: 'links while it looks like one person',
  email: 'likewise',
  name: 'for people to recognise them by',
  enrolled_at: 'when they became a member',
  seen_at: 'when the source last knew this to be so; updated_at, else now when absent',
  updated_at: 'when the source last changed the record: of two versions the later one counts',
  sequence: "instead of updated_at: the source's own count of its changes",
} as const
export type PeopleField = keyof typeof PEOPLE_FIELDS

export const peopleOptions = z
  .object({
    /** The source whose customer ids `own_id` are, so that its orders and its people meet; the mapping's by default. */
    own_id_source: z.string().min(1).max(60).optional(),
    corp: z.string().min(1).max(60).optional(),
    app: z.string().min(1).max(60).optional(),
  })
  .strict()
export type PeopleOptions = z.infer<typeof peopleOptions>

/** A record as it waits for the set statements. */
export interface StagedRecord {
  readonly line: number
  readonly recordId: string
  readonly identities: readonly Identity[]
  readonly name: string | null
  readonly enrolledAt: string | null
  readonly seenAt: string | null
  readonly unlinked: Readonly<Record<string, string>>
  /** The rank of the record's version, see `versionRank`. */
  readonly version: string | null
}

/** A record of a person, as the API takes it: every identity in it is claimed to be the same person. */
export const personFact = factBase
  .extend({
    kind: z.literal('person'),
    identities: z.array(identity).min(1).max(20),
    name: z.string().max(200).optional(),
    enrolled_at: z.iso.datetime({ offset: true }).optional(),
    /** When the source last knew this to be so; `updated_at`, else now when absent. */
    seen_at: z.iso.datetime({ offset: true }).optional(),
  })
  .strict()
export type PersonFact = z.infer<typeof personFact>

/** A fact about one person that is one row, as it waits for the set statements; `body` is what its kind says. */
export interface StagedFact {
  readonly line: number
  readonly external_id: string
  readonly occurred_at: string
  readonly identity: Identity
  readonly body: unknown
  /** The rank of the fact's version, see `versionRank`. */
  readonly version: string | null
}

/** A relation of a person: on a channel, to somebody of the staff, or as one of a group. Ended when they left or were removed. */
export const connectionFact = factBase
  .extend({
    kind: z.literal('connection'),
    identity,
    channel: z.string().min(1).max(60),
    staff: z.string().max(120).optional(),
    /** The group's id in the source. */
    group_id: z.string().min(1).max(120).optional(),
    begun_at: z.iso.datetime({ offset: true }),
    ended_at: z.iso.datetime({ offset: true }).optional(),
  })
  .strict()
  .refine((fact) => !fact.ended_at || new Date(fact.ended_at) >= new Date(fact.begun_at), 'ended_at is before begun_at')
export type ConnectionFact = z.infer<typeof connectionFact>

/** Enrolled as a member. */
export const membershipFact = factBase
  .extend({
    kind: z.literal('membership'),
    identity,
    enrolled_at: z.iso.datetime({ offset: true }),
    /** May lie ahead: a membership that runs out. */
    ended_at: z.iso.datetime({ offset: true }).optional(),
  })
  .strict()
  .refine(
    (fact) => !fact.ended_at || new Date(fact.ended_at) >= new Date(fact.enrolled_at),
    'ended_at is before enrolled_at',
  )
export type MembershipFact = z.infer<typeof membershipFact>

/** What consent is asked for (domain.md §5, §11): messages by channel, calls, and health as a sensitive class. */
export const CONSENT_PURPOSES = ['marketing', 'calls', 'health'] as const

/** The person allows or forbids something; what holds at an instant is the latest statement by then. */
export const consentFact = factBase
  .extend({
    kind: z.literal('consent'),
    identity,
    purpose: z.enum(CONSENT_PURPOSES),
    /** Left out: every channel. */
    channel: z.string().min(1).max(60).optional(),
    state: z.enum(['granted', 'withdrawn']),
    occurred_at: z.iso.datetime({ offset: true }),
    /** What proves it: the form, the version of its wording. */
    evidence: z.string().max(2000).optional(),
  })
  .strict()
export type ConsentFact = z.infer<typeof consentFact>

/** Somebody says that the referrer brought the invitee. Every claim is kept; which one wins is decided by who reads them. */
export const referralClaimFact = factBase
  .extend({
    kind: z.literal('referral_claim'),
    invitee: identity,
    referrer: identity,
    occurred_at: z.iso.datetime({ offset: true }),
    campaign: z.string().max(200).optional(),
    /** What was shared. */
    content: z.string().max(200).optional(),
  })
  .strict()
  .transform(({ invitee, ...fact }) => ({ ...fact, identity: invitee }))
/** A claim is the invitee's fact. */
export type ReferralClaimFact = z.output<typeof referralClaimFact>
/** A value that links nobody for now, and whom it would join: up for review. */
export const withdrawnValue = z.object({
  identity_id: z.number().int(),
  kind: z.string(),
  value: z.string(),
  /** How many it touches: of unionids one is the most, of accounts three. */
  unionids: z.number().int(),
  accounts: z.number().int(),
  withdrawn_at: z.iso.datetime(),
  people: z.array(z.number().int()),
})

/** A merge or split by hand that is in force. */
export const handDecision = z.object({
  claim_id: z.number().int(),
  kind: z.enum(['merge', 'split']),
  decided_at: z.iso.datetime(),
  decided_by: z.string().nullable(),
  identities: z.array(identity.extend({ identity_id: z.number().int(), person_id: z.number().int().nullable() })),
})
export type HandDecision = z.infer<typeof handDecision>

/** At most 200 of each, newest first. */
export const mergeReview = z.object({ values: z.array(withdrawnValue), decisions: z.array(handDecision) })
export type MergeReview = z.infer<typeof mergeReview>

export const mergeCommand = z.object({ person_ids: z.array(z.number().int().positive()).min(2).max(50) }).strict()
export const splitCommand = z.object({ identity_id: z.number().int().positive() }).strict()
export const decided = z.object({ claim_id: z.number().int() })

/** The key as somebody typed it, so that nobody is erased by a slip. */
export const eraseCommand = z.object({ key: z.string().min(1).max(300) }).strict()
export const erasureAnswer = z.object({
  erasure_id: z.number().int(),
  identities: z.number().int(),
  facts: z.number().int(),
  rejected_rows: z.number().int(),
})
export type ErasureAnswer = z.infer<typeof erasureAnswer>

export interface ErasureReport {
  readonly erasure_id: number
  /** Identities of which a mark is kept, that keeps them out. */
  readonly identities: number
  /** Facts that named the person; those of the totals stay as nobody's. */
  readonly facts: number
}
