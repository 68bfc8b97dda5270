// Made by `npm run gen` from the catalog of a migrated brand database; do not edit.

import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

export interface AuditEntries {
  entry_id: GeneratedAlways<number>
  done_at: Date
  actor_kind: string
  actor_id: string | null
  actor_name: string
  operation: string
  subjects: unknown
  fields: string[]
}

export interface BrandPublishedSettings {
  zone: string
  currency: string | null
  period_days: number
  occasion_unit: string
  recency_unit: string
  member_by_purchase: boolean
  phone_claim_days: number
  spread_window: string
}

export interface BrandSettings {
  only_row: Generated<boolean>
  zone: Generated<string>
  currency: string | null
  period_days: Generated<number>
  occasion_unit: Generated<string>
  recency_unit: Generated<string>
  member_by_purchase: Generated<boolean>
  phone_claim_days: Generated<number>
  spread_window: Generated<string>
  rebuild_due_at: Date | null
  margin_rate: number | null
  discount_rate_per_year: Generated<number>
  referral_share: ColumnType<string, string | number | undefined, string | number>
  attribution_days: Generated<number>
  fan_tier_scores: Generated<number[]>
  rfm_recency_days: number[] | null
  rfm_frequency: number[] | null
  rfm_monetary_minor: number[] | null
  followed_at: Date | null
}

export interface CommerceOrderLines {
  person_id: number
  order_id: number
  line_no: number
  item: string
  item_name: string | null
  quantity: ColumnType<string, string | number, string | number>
  unit_price: ColumnType<string, string | number, string | number>
  amount_minor: number
  category: string | null
}

export interface CommerceOrders {
  person_id: number
  order_id: number
  identity_id: number | null
  source: string
  external_id: string
  paid_at: Date
  amount_minor: number
  line_count: number
  recorded_at: Date
}

export interface CommercePublishedAllocations {
  person_id: number | null
  refund_id: number | null
  order_id: number | null
  refunded_at: Date | null
  amount_minor: number | null
  order_line_no: number | null
}

export interface CommercePublishedOrderLines {
  person_id: number
  order_id: number
  line_no: number
  item: string
  quantity: string
  amount_minor: number
  category: string | null
}

export interface CommercePublishedOrders {
  person_id: number
  order_id: number
  source: string
  external_id: string
  paid_at: Date
  amount_minor: number
  recorded_at: Date
}

export interface CommercePublishedRefunds {
  person_id: number
  refund_id: number
  source: string
  external_id: string
  refunded_at: Date
  amount_minor: number
  recorded_at: Date
}

export interface CommercePublishedSpreads {
  person_id: number
  spread_id: number
  order_id: number
  spread_at: Date
  voided_at: Date | null
  voided_id: number | null
}

export interface CommercePublishedTotals {
  kind: string
  recorded_minute: Date
  is_anonymous: boolean
  documents: number
  amount_minor: number
}

export interface CommercePublishedUnmatched {
  person_id: number
  refund_id: number
  refunded_at: Date
  unmatched_minor: number | null
}

export interface CommercePublishedUnmatchedRefunds {
  refund_id: number
  unmatched_minor: number
}

export interface CommercePublishedVoidOrders {
  order_id: number
  is_anonymous: boolean
}

export interface CommerceRefundAllocations {
  person_id: number
  refund_id: number
  refund_line_no: number
  order_id: number
  order_line_no: number
  refunded_at: Date
  amount_minor: number
}

export interface CommerceRefundLines {
  person_id: number
  refund_id: number
  line_no: number
  item: string
  item_name: string | null
  quantity: ColumnType<string, string | number, string | number>
  unit_price: ColumnType<string, string | number, string | number>
  amount_minor: number
  category: string | null
}

export interface CommerceRefunds {
  person_id: number
  refund_id: number
  identity_id: number | null
  source: string
  external_id: string
  refunded_at: Date
  of_external_id: string | null
  amount_minor: number
  recorded_at: Date
}

export interface CommerceSpreads {
  person_id: number
  order_id: number
  identity_id: number | null
  buyer_person_id: number | null
  spread_id: number
  voided_id: number
  spread_at: Date
  voided_at: Date | null
  recorded_at: Date
}

export interface CommerceTotals {
  kind: string
  recorded_minute: Date
  is_anonymous: boolean
  documents: number
  amount_minor: number
}

export interface CommerceUnmatchedRefunds {
  refund_id: number
  unmatched_minor: number
}

export interface CommerceVoidOrders {
  order_id: number
  is_anonymous: boolean
}

export interface CustomersCanonical {
  identity_id: number
  person_id: number
}

export interface CustomersClaimIdentities {
  claim_id: number
  identity_id: number
}

export interface CustomersClaims {
  claim_id: number
  kind: string
  source: string
  external_id: string
  claimed_at: Date
  recorded_at: Date
  claimed_by: string | null
  withdrawn_at: Date | null
  phone_lapsed: Generated<boolean>
  first_claimed_at: Date | null
}

export interface CustomersConnections {
  person_id: number
  connection_id: number
  identity_id: number | null
  source: string
  channel: string
  begun_at: Date
  ended_at: Date | null
  recorded_at: Date
  staff: string | null
  group_id: string | null
}

export interface CustomersConsents {
  person_id: number
  consent_id: number
  identity_id: number
  source: string
  purpose: string
  channel: string
  state: string
  evidence: string | null
  occurred_at: Date
  recorded_at: Date
}

export interface CustomersCutLinks {
  split_claim_id: number
  claim_id: number
  identity_id: number
}

export interface CustomersIdentities {
  identity_id: GeneratedAlways<number>
  kind: string
  namespace: string
  value: string
  recorded_at: Date
}

export interface CustomersMemberships {
  person_id: number
  membership_id: number
  identity_id: number | null
  source: string
  enrolled_at: Date
  ended_at: Date | null
  recorded_at: Date
}

export interface CustomersPersonChanges {
  identity_id: number
  from_person_id: number
  to_person_id: number
  changed_at: Date
}

export interface CustomersPublishedCanonical {
  identity_id: number
  person_id: number
}

export interface CustomersPublishedClaims {
  person_id: number
  claim_id: number
  claimed_at: Date | null
}

export interface CustomersPublishedConnections {
  person_id: number
  connection_id: number
  identity_id: number | null
  source: string
  channel: string
  begun_at: Date
  ended_at: Date | null
  staff: string | null
  group_id: string | null
}

export interface CustomersPublishedConsentStatements {
  person_id: number
  consent_id: number
  source: string
  purpose: string
  channel: string
  state: string
  occurred_at: Date
  evidence: string | null
}

export interface CustomersPublishedConsents {
  person_id: number
  purpose: string
  channel: string
  state: string
  consent_id: number
  from_at: Date
  until_at: Date | null
}

export interface CustomersPublishedIdentityClaims {
  identity_id: number
  claim_id: number
  kind: string
  source: string
  claimed_at: Date | null
  claimed_by: string | null
}

export interface CustomersPublishedMemberships {
  person_id: number
  membership_id: number
  enrolled_at: Date
  ended_at: Date | null
  source: string
}

export interface CustomersPublishedPeople {
  person_id: number
  identity_id: number
  kind: string
  namespace: string
  value: string
  recorded_at: Date
}

export interface CustomersPublishedRecords {
  person_id: number
  claim_id: number
  name: string | null
  enrolled_at: Date | null
}

export interface CustomersPublishedReferralClaims {
  referrer_person_id: number
  invitee_person_id: number
  claim_id: number
  claimed_at: Date
  campaign: string | null
  content: string | null
}

export interface CustomersRecords {
  person_id: number
  claim_id: number
  identity_id: number
  name: string | null
  enrolled_at: Date | null
  unlinked: unknown
}

export interface CustomersReferralClaims {
  person_id: number
  claim_id: number
  identity_id: number
  referrer_person_id: number
  referrer_identity_id: number
  source: string
  campaign: string | null
  content: string | null
  claimed_at: Date
  recorded_at: Date
}

export interface CustomersWithdrawnValues {
  identity_id: number
  unionids: number
  accounts: number
  withdrawn_at: Date
}

export interface IntakeApiKeys {
  key_id: GeneratedAlways<number>
  name: string
  key_hash: Buffer
  scopes: string[]
  created_at: Date
  last_used_at: Date | null
  revoked_at: Date | null
  created_by: string | null
}

export interface IntakeBodies {
  fact_id: number
  body_hash: Buffer
  identity_ids: number[]
  body: unknown
}

export interface IntakeErased {
  identity_hash: Buffer
  erasure_id: number
}

export interface IntakeErasures {
  erasure_id: GeneratedAlways<number>
  erased_at: Date
  erased_by: string | null
  identities: number
  facts: number
}

export interface IntakeImports {
  import_id: GeneratedAlways<number>
  file_name: string
  mapping_name: string
  source: string
  options: unknown
  started_at: Date
  finished_at: Date
  rows_in: number
  rows_stored: number
  rows_merged: number
  rows_rejected: number
  undone_at: Date | null
  undone_by: string | null
  columns: string[] | null
}

export interface IntakeInbox {
  source: string
  kind: string
  external_id: string
  fact_id: number
  body_hash: Buffer
  import_id: number
  recorded_at: Date
  version: ColumnType<string | null, string | number | null | undefined, string | number | null>
  retracted_at: Date | null
}

export interface IntakePendingMoves {
  subscriber: string
  identity_id: number
  person_id: number
}

export interface IntakePendingPeople {
  subscriber: string
  person_id: number
  pending_since: Date | null
  fact_kind: string | null
  fact_id: number | null
  changed_from: Date | null
}

export interface IntakePublishedBodies {
  fact_id: number
  body_hash: Buffer
  identity_ids: number[]
  body: unknown
}

export interface IntakePublishedImports {
  import_id: number
  file_name: string
  mapping_name: string
  finished_at: Date
  rows_in: number
  rows_stored: number
  rows_merged: number
  rows_rejected: number
}

export interface IntakePublishedInbox {
  source: string
  kind: string
  external_id: string
  fact_id: number
  recorded_at: Date
}

export interface IntakeSubscribers {
  event: string
  subscriber: string
}

export interface IntakeVersions {
  fact_id: number
  import_id: number
  body_hash: Buffer
  version: ColumnType<string | null, string | number | null | undefined, string | number | null>
  recorded_at: Date
  retracted_at: Date | null
}

export interface IntakeWebhookReceipts {
  source: string
  webhook_id: string
  received_at: Date
}

export interface IntakeWebhookSources {
  webhook_id: GeneratedAlways<number>
  source: string
  sealed_secret: Buffer
  created_at: Date
  revoked_at: Date | null
}

export interface InteractionsInteractions {
  person_id: number
  occurred_at: Date
  interaction_id: number
  identity_id: number | null
  source: string
  type: string
  item: string | null
  content: string | null
  recorded_at: Date
}

export interface InteractionsPublishedInteractions {
  person_id: number
  interaction_id: number
  type: string
  item: string | null
  content: string | null
  occurred_at: Date
  source: string
}

export interface InteractionsPublishedReviews {
  person_id: number
  review_id: number
  item: string | null
  rating: string | null
  is_recommended: boolean | null
  reviewed_at: Date
  source: string
}

export interface InteractionsReviews {
  person_id: number
  review_id: number
  identity_id: number | null
  source: string
  item: string | null
  rating: ColumnType<string | null, string | number | null | undefined, string | number | null>
  is_recommended: boolean | null
  reviewed_at: Date
  recorded_at: Date
}

export interface RelationshipDepthChanges {
  person_id: number
  changed_at: Date
  from_depth: number
  to_depth: number
  cause_fact_id: number | null
  recorded_at: Date
  superseded_at: Date | null
  cause_kind: number
}

export interface RelationshipEventfulOccasions {
  person_id: number
  occasion_key: number
  from_at: Date
  to_at: Date | null
  occasion_at: Date | null
  order_id: number | null
  order_count: number | null
  net_minor: number | null
  opened_by: number | null
  closed_by: number | null
}

export interface RelationshipEventfulOrders {
  person_id: number
  order_id: number
}

export interface RelationshipFanTiers {
  person_id: number
  follower_until: Date
  active_until: Date | null
  devoted_until: Date | null
  value_order: number
}

export interface RelationshipOccasions {
  person_id: number | null
  from_at: Date | null
  to_at: Date | null
  occasion_at: Date | null
  order_id: number | null
  order_count: number | null
  net_minor: number | null
  opened_by: number | null
  closed_by: number | null
}

export interface RelationshipPeopleCountChanges {
  depth: number
  last_occasion_day: string | null
  occasions: number
  people: number
}

export interface RelationshipPeopleCounts {
  depth: number
  last_occasion_day: string | null
  occasions: number
  people: number
}

export interface RelationshipPublishedDepthChanges {
  person_id: number
  changed_at: Date
  from_depth: number
  to_depth: number
  cause_fact_id: number | null
  recorded_at: Date
  cause_kind: number
}

export interface RelationshipPublishedOccasions {
  person_id: number | null
  from_at: Date | null
  to_at: Date | null
  occasion_at: Date | null
  order_id: number | null
  order_count: number | null
  net_minor: number | null
}

export interface RelationshipPublishedStanding {
  person_id: number
  depth: number | null
  since: Date | null
  lapses_at: Date | null
  lapses_to: number | null
  evidence: number[] | null
  depth_if_connected: number | null
  last_occasion_at: Date | null
  occasions: number | null
  net_paid_minor: number | null
}

export interface RelationshipRfmCuts {
  in_force_from: Date
  recency_unit: string
  occasion_unit: string
  buyers: number
  recency_days: number[]
  frequency: number[]
  monetary_minor: number[]
  mean_recency_days: number | null
  mean_frequency: number | null
  mean_monetary_minor: number | null
  fixed: Generated<string[]>
}

export interface RelationshipStanding {
  person_id: number
  depth: number | null
  since: Date | null
  lapses_at: Date | null
  lapses_to: number | null
  evidence: number[] | null
  depth_if_connected: number | null
  last_occasion_at: Date | null
  occasions: number | null
  net_paid_minor: number | null
}

export interface SegmentsPastStays {
  person_id: number
  segment_id: number
  in_at: Date
  out_at: Date
  in_cause: string
  in_fact_id: number | null
  out_cause: string | null
  out_fact_id: number | null
}

export interface SegmentsPublishedMembers {
  person_id: number | null
  segment_id: number | null
  in_at: Date | null
  out_at: Date | null
}

export interface SegmentsPublishedSegments {
  segment_id: number
  name: string
  version: number
  size: number
  evaluated_at: Date | null
}

export interface SegmentsSegments {
  segment_id: GeneratedAlways<number>
  name: string
  version: number
  size: Generated<number>
  evaluated_version: number | null
  evaluated_settings: string | null
  evaluated_cuts: Date | null
  evaluated_at: Date | null
  evaluated_run: number | null
}

export interface SegmentsSizes {
  segment_id: number
  day: string
  size: number
}

export interface SegmentsStays {
  person_id: number | null
  segment_id: number | null
  in_at: Date | null
  out_at: Date | null
  in_cause: string | null
  in_fact_id: number | null
  out_cause: string | null
  out_fact_id: number | null
}

export interface SegmentsUses {
  segment_id: number
  user_kind: string
  user_id: number
  user_name: string
}

export interface SegmentsVerdicts {
  person_id: number
  segment_id: number
  due_at: Date | null
  in_at: Date | null
  in_fact_id: number | null
  in_cause: string | null
}

export interface SegmentsVersions {
  segment_id: number
  version: number
  definition: unknown
  made_at: Date
  made_by: string
}

export interface TagsAssignments {
  person_id: number
  assignment_id: number
  identity_id: number
  tag_id: number
  source: string
  origin: string | null
  strength: number
  given_at: Date
  given_by: string | null
  edit_id: number | null
  lapses_at: Date | null
  ends_at: Date | null
  removed_at: Date | null
  removed_by: string | null
  removed_edit_id: number | null
  recorded_at: Date
  given_cause: string | null
  given_fact_id: number | null
  removed_cause: string | null
  removed_fact_id: number | null
}

export interface TagsEdits {
  edit_id: GeneratedAlways<number>
  tag_id: number
  verb: string
  people: number
  done_at: Date
  done_by: string
  done_by_id: string | null
  undone_at: Date | null
  undone_by: string | null
}

export interface TagsGroups {
  group_id: GeneratedAlways<number>
  name: string
  external_id: string | null
}

export interface TagsPublishedRules {
  tag_id: number
  tag: string
  segment_id: number
}

export interface TagsPublishedTags {
  person_id: number
  tag: string
  source: string
  strength: number | null
  given_at: Date
  lapses_at: Date | null
}

export interface TagsRules {
  tag_id: number
  segment: string
  set_at: Date
  segment_id: number
}

export interface TagsTags {
  tag_id: GeneratedAlways<number>
  group_id: number | null
  name: string
  description: string | null
  life_days: number | null
  half_life_days: number | null
  archived_at: Date | null
  external_id: string | null
  sync_direction: string | null
  created_at: Date
}

export interface ValueCuts {
  in_force_from: Date
  own_minor: number[]
  influenced_minor: number[]
}

export interface ValueFits {
  fit_id: GeneratedAlways<number>
  fitted_at: Date
  unit: string
  model_asked: string
  model: string
  reason: string | null
  occasions: unknown
  spend_model: string
  spend_reason: string | null
  spend: unknown
  margin_rate: number | null
  discount_rate_per_year: number
  people: number
  repeaters: number
  reachable_people: number
  expected_minor: number
  expected_low_minor: number
  expected_high_minor: number
  calibration: unknown
  drift: number | null
}

export interface ValuePastCame {
  person_id: number
  known_expected_minor: number
  came_minor: number
}

export interface ValuePastCuts {
  in_force_from: Date
  own_minor: number[]
  influenced_minor: number[]
}

export interface ValuePastFits {
  fit_id: GeneratedAlways<number>
  fitted_at: Date
  unit: string
  model_asked: string
  model: string
  reason: string | null
  occasions: unknown
  spend_model: string
  spend_reason: string | null
  spend: unknown
  margin_rate: number | null
  discount_rate_per_year: number
  people: number
  repeaters: number
  reachable_people: number
  expected_minor: number
  expected_low_minor: number
  expected_high_minor: number
  calibration: unknown
  drift: number | null
  worked_out_at: Date | null
  known_until: Date | null
  known_expected_minor: number | null
  known_low_minor: number | null
  known_high_minor: number | null
  came_minor: number | null
}

export interface ValuePastPeople {
  person_id: number
  fit_id: number
  valued_at: Date | null
  repeats: number
  last_days: number
  watched_days: number
  mean_spend_minor: number
  p_alive: number | null
  expected_occasions: number
  expected_minor: number
  expected_low_minor: number
  expected_high_minor: number
  realised_minor: number
  net_paid_minor: number | null
  last_occasion_at: Date | null
  last_day: string | null
  turns_days: number[] | null
}

export interface ValuePastPropagation {
  person_id: number
  tree_depth: number
  allocated_minor: number
  influenced_minor: number
}

export interface ValuePastReferralEdges {
  person_id: number
  claim_id: number
  referrer_person_id: number
  claimed_at: Date
  set_aside: string | null
  refusal: string | null
}

export interface ValuePastSettled {
  person_id: number
  expected_minor: number
  own_minor: number
  p_alive: number | null
  allocated_minor: number
  influenced_minor: number
  transaction: number
  propagation: number
  last_occasion_at: Date | null
  turns_days: number[] | null
  turns_at: Date[] | null
}

export interface ValuePastStanding {
  person_id: number
  depth: number
  last_occasion_at: Date | null
  net_paid_minor: number
}

export interface ValuePastValues {
  person_id: number | null
  fit_id: number | null
  valued_at: Date | null
  p_alive: number | null
  expected_occasions: number | null
  expected_minor: number | null
  expected_low_minor: number | null
  expected_high_minor: number | null
  realised_minor: number | null
  own_minor: number | null
  allocated_minor: number | null
  influenced_minor: number | null
  tree_depth: number | null
}

export interface ValuePeople {
  person_id: number
  fit_id: number
  valued_at: Date | null
  repeats: number
  last_days: number
  watched_days: number
  mean_spend_minor: number
  p_alive: number | null
  expected_occasions: number
  expected_minor: number
  expected_low_minor: number
  expected_high_minor: number
  realised_minor: number
  net_paid_minor: number | null
  last_occasion_at: Date | null
  last_day: string | null
  turns_days: number[] | null
}

export interface ValuePropagation {
  person_id: number
  tree_depth: number
  allocated_minor: number
  influenced_minor: number
}

export interface ValuePublishedReferrals {
  person_id: number
  claim_id: number
  referrer_person_id: number
  claimed_at: Date
  refusal: string | null
}

export interface ValuePublishedRuns {
  fit_id: number
  fitted_at: Date
}

export interface ValuePublishedSettled {
  person_id: number
  expected_minor: number
  own_minor: number
  p_alive: number | null
  allocated_minor: number
  influenced_minor: number
  transaction: number
  propagation: number
  last_occasion_at: Date | null
  turns_days: number[] | null
  turns_at: Date[] | null
}

export interface ValuePublishedValues {
  person_id: number | null
  fit_id: number | null
  valued_at: Date | null
  p_alive: number | null
  expected_occasions: number | null
  expected_minor: number | null
  expected_low_minor: number | null
  expected_high_minor: number | null
  realised_minor: number | null
  own_minor: number | null
  allocated_minor: number | null
  influenced_minor: number | null
  tree_depth: number | null
}

export interface ValueReferralEdges {
  person_id: number
  claim_id: number
  referrer_person_id: number
  claimed_at: Date
  set_aside: string | null
  refusal: string | null
}

export interface ValueSettled {
  person_id: number
  expected_minor: number
  own_minor: number
  p_alive: number | null
  allocated_minor: number
  influenced_minor: number
  transaction: number
  propagation: number
  last_occasion_at: Date | null
  turns_days: number[] | null
  turns_at: Date[] | null
}

/** Tables and views of a brand database. */
export interface DB {
  'audit.entries': AuditEntries
  'brand.published_settings': BrandPublishedSettings
  'brand.settings': BrandSettings
  'commerce.order_lines': CommerceOrderLines
  'commerce.orders': CommerceOrders
  'commerce.published_allocations': CommercePublishedAllocations
  'commerce.published_order_lines': CommercePublishedOrderLines
  'commerce.published_orders': CommercePublishedOrders
  'commerce.published_refunds': CommercePublishedRefunds
  'commerce.published_spreads': CommercePublishedSpreads
  'commerce.published_totals': CommercePublishedTotals
  'commerce.published_unmatched': CommercePublishedUnmatched
  'commerce.published_unmatched_refunds': CommercePublishedUnmatchedRefunds
  'commerce.published_void_orders': CommercePublishedVoidOrders
  'commerce.refund_allocations': CommerceRefundAllocations
  'commerce.refund_lines': CommerceRefundLines
  'commerce.refunds': CommerceRefunds
  'commerce.spreads': CommerceSpreads
  'commerce.totals': CommerceTotals
  'commerce.unmatched_refunds': CommerceUnmatchedRefunds
  'commerce.void_orders': CommerceVoidOrders
  'customers.canonical': CustomersCanonical
  'customers.claim_identities': CustomersClaimIdentities
  'customers.claims': CustomersClaims
  'customers.connections': CustomersConnections
  'customers.consents': CustomersConsents
  'customers.cut_links': CustomersCutLinks
  'customers.identities': CustomersIdentities
  'customers.memberships': CustomersMemberships
  'customers.person_changes': CustomersPersonChanges
  'customers.published_canonical': CustomersPublishedCanonical
  'customers.published_claims': CustomersPublishedClaims
  'customers.published_connections': CustomersPublishedConnections
  'customers.published_consent_statements': CustomersPublishedConsentStatements
  'customers.published_consents': CustomersPublishedConsents
  'customers.published_identity_claims': CustomersPublishedIdentityClaims
  'customers.published_memberships': CustomersPublishedMemberships
  'customers.published_people': CustomersPublishedPeople
  'customers.published_records': CustomersPublishedRecords
  'customers.published_referral_claims': CustomersPublishedReferralClaims
  'customers.records': CustomersRecords
  'customers.referral_claims': CustomersReferralClaims
  'customers.withdrawn_values': CustomersWithdrawnValues
  'intake.api_keys': IntakeApiKeys
  'intake.bodies': IntakeBodies
  'intake.erased': IntakeErased
  'intake.erasures': IntakeErasures
  'intake.imports': IntakeImports
  'intake.inbox': IntakeInbox
  'intake.pending_moves': IntakePendingMoves
  'intake.pending_people': IntakePendingPeople
  'intake.published_bodies': IntakePublishedBodies
  'intake.published_imports': IntakePublishedImports
  'intake.published_inbox': IntakePublishedInbox
  'intake.subscribers': IntakeSubscribers
  'intake.versions': IntakeVersions
  'intake.webhook_receipts': IntakeWebhookReceipts
  'intake.webhook_sources': IntakeWebhookSources
  'interactions.interactions': InteractionsInteractions
  'interactions.published_interactions': InteractionsPublishedInteractions
  'interactions.published_reviews': InteractionsPublishedReviews
  'interactions.reviews': InteractionsReviews
  'relationship.depth_changes': RelationshipDepthChanges
  'relationship.eventful_occasions': RelationshipEventfulOccasions
  'relationship.eventful_orders': RelationshipEventfulOrders
  'relationship.fan_tiers': RelationshipFanTiers
  'relationship.occasions': RelationshipOccasions
  'relationship.people_count_changes': RelationshipPeopleCountChanges
  'relationship.people_counts': RelationshipPeopleCounts
  'relationship.published_depth_changes': RelationshipPublishedDepthChanges
  'relationship.published_occasions': RelationshipPublishedOccasions
  'relationship.published_standing': RelationshipPublishedStanding
  'relationship.rfm_cuts': RelationshipRfmCuts
  'relationship.standing': RelationshipStanding
  'segments.past_stays': SegmentsPastStays
  'segments.published_members': SegmentsPublishedMembers
  'segments.published_segments': SegmentsPublishedSegments
  'segments.segments': SegmentsSegments
  'segments.sizes': SegmentsSizes
  'segments.stays': SegmentsStays
  'segments.uses': SegmentsUses
  'segments.verdicts': SegmentsVerdicts
  'segments.versions': SegmentsVersions
  'tags.assignments': TagsAssignments
  'tags.edits': TagsEdits
  'tags.groups': TagsGroups
  'tags.published_rules': TagsPublishedRules
  'tags.published_tags': TagsPublishedTags
  'tags.rules': TagsRules
  'tags.tags': TagsTags
  'value.cuts': ValueCuts
  'value.fits': ValueFits
  'value.past_came': ValuePastCame
  'value.past_cuts': ValuePastCuts
  'value.past_fits': ValuePastFits
  'value.past_people': ValuePastPeople
  'value.past_propagation': ValuePastPropagation
  'value.past_referral_edges': ValuePastReferralEdges
  'value.past_settled': ValuePastSettled
  'value.past_standing': ValuePastStanding
  'value.past_values': ValuePastValues
  'value.people': ValuePeople
  'value.propagation': ValuePropagation
  'value.published_referrals': ValuePublishedReferrals
  'value.published_runs': ValuePublishedRuns
  'value.published_settled': ValuePublishedSettled
  'value.published_values': ValuePublishedValues
  'value.referral_edges': ValueReferralEdges
  'value.settled': ValueSettled
}
