import { fileURLToPath } from 'node:url'
import { insertConsents, removeConsents } from './consent-queries.ts'
import { insertConnections, insertMemberships, removeConnections, removeMemberships } from './fact-queries.ts'
import { type PersonalKind, personalFactKind } from './personal-facts.ts'
import { personalFileKind } from './personal-files.ts'
import { insertReferralClaims, removeReferralClaims } from './referral-queries.ts'
import {
  type ConnectionFact,
  type ConsentFact,
  connectionFact,
  consentFact,
  type MembershipFact,
  membershipFact,
  type ReferralClaimFact,
  referralClaimFact,
} from './schema.ts'

const MAPPINGS_FOLDER = fileURLToPath(new URL('./mappings', import.meta.url))

const connections: PersonalKind<ConnectionFact> = {
  name: 'connection',
  fact: connectionFact,
  occurredField: 'begun_at',
  remove: removeConnections,
  insert: insertConnections,
}
export const CONNECTION_FACTS = personalFactKind(connections)
export const CONNECTIONS = personalFileKind(connections, {
  kind: 'connections',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { identity: '' },
  fields: {
    channel: { about: 'what it goes by', reads: 'text' },
    staff: { about: 'who of the staff', reads: 'text' },
    group_id: { about: 'which group', reads: 'text' },
    begun_at: { about: 'when they connected', reads: 'time' },
    ended_at: { about: 'when they left or were removed', reads: 'time' },
  },
  needs: [['channel'], ['begun_at']],
})

const memberships: PersonalKind<MembershipFact> = {
  name: 'membership',
  fact: membershipFact,
  occurredField: 'enrolled_at',
  remove: removeMemberships,
  insert: insertMemberships,
}
export const MEMBERSHIP_FACTS = personalFactKind(memberships)
export const MEMBERSHIPS = personalFileKind(memberships, {
  kind: 'memberships',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { identity: '' },
  fields: {
    enrolled_at: { about: 'when they became a member', reads: 'time' },
    ended_at: { about: 'when it ends or ended', reads: 'time' },
  },
  needs: [['enrolled_at']],
})

const consents: PersonalKind<ConsentFact> = {
  name: 'consent',
  fact: consentFact,
  occurredField: 'occurred_at',
  remove: removeConsents,
  insert: insertConsents,
}
export const CONSENT_FACTS = personalFactKind(consents)
export const CONSENTS = personalFileKind(consents, {
  kind: 'consents',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { identity: '' },
  fields: {
    purpose: { about: 'marketing, calls or health', reads: 'word' },
    channel: { about: 'of which channel; else of all', reads: 'text' },
    state: { about: 'granted or withdrawn', reads: 'word' },
    occurred_at: { about: 'when they said so', reads: 'time' },
    evidence: { about: 'the form, the version of its wording', reads: 'text' },
  },
  needs: [['purpose'], ['state'], ['occurred_at']],
})

const referralClaims: PersonalKind<ReferralClaimFact> = {
  name: 'referral_claim',
  fact: referralClaimFact,
  occurredField: 'occurred_at',
  second: (fact) => fact.referrer,
  remove: removeReferralClaims,
  insert: insertReferralClaims,
}
export const REFERRAL_CLAIM_FACTS = personalFactKind(referralClaims)
export const REFERRAL_CLAIMS = personalFileKind(referralClaims, {
  kind: 'referral_claims',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { referrer: 'referrer_', invitee: 'invitee_' },
  fields: {
    occurred_at: { about: 'when the invitee came', reads: 'time' },
    campaign: { about: 'the campaign', reads: 'text' },
    content: { about: 'what was shared', reads: 'text' },
  },
  needs: [['occurred_at']],
})
