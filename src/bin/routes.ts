import { type AnalyticsDeps, registerAnalyticsRoutes } from '../modules/analytics/routes.ts'
import { registerAuditRoutes } from '../modules/audit/routes.ts'
import { type BrandDeps, registerBrandRoutes } from '../modules/brand/routes.ts'
import { ORDER_FACTS } from '../modules/commerce/actions.ts'
import { registerCommerceRoutes } from '../modules/commerce/routes.ts'
import {
  CONNECTION_FACTS,
  CONSENT_FACTS,
  MEMBERSHIP_FACTS,
  PERSON_FACTS,
  REFERRAL_CLAIM_FACTS,
} from '../modules/customers/actions.ts'
import { type CustomersDeps, registerCustomersRoutes } from '../modules/customers/routes.ts'
import type { FactKinds } from '../modules/intake/actions.ts'
import { type IntakeDeps, registerIntakeRoutes } from '../modules/intake/routes.ts'
import { INTERACTION_FACTS, REVIEW_FACTS } from '../modules/interactions/actions.ts'
import { registerRelationshipRoutes } from '../modules/relationship/routes.ts'
import { registerSegmentsRoutes } from '../modules/segments/routes.ts'
import { TAG_FACTS } from '../modules/tags/actions.ts'
import { registerTagsRoutes, type TagsDeps } from '../modules/tags/routes.ts'
import { registerValueRoutes, type ValueDeps } from '../modules/value/routes.ts'
import type { Http } from '../platform/http.ts'
import { registerExportRoutes } from './export.ts'

/** Every kind of fact that the API takes, by the `kind` that a fact says. */
export const FACT_KINDS: FactKinds = {
  order: ORDER_FACTS,
  person: PERSON_FACTS,
  connection: CONNECTION_FACTS,
  membership: MEMBERSHIP_FACTS,
  interaction: INTERACTION_FACTS,
  review: REVIEW_FACTS,
  consent: CONSENT_FACTS,
  referral_claim: REFERRAL_CLAIM_FACTS,
  tag: TAG_FACTS,
}

export type RouteDeps = AnalyticsDeps & BrandDeps & CustomersDeps & Omit<IntakeDeps, 'kinds'> & TagsDeps & ValueDeps

/** Every module's routes: what the server serves and what the OpenAPI document describes. */
export function registerRoutes(app: Http, deps: RouteDeps): void {
  registerIntakeRoutes(app, { ...deps, kinds: FACT_KINDS })
  registerCustomersRoutes(app, deps)
  registerTagsRoutes(app, deps)
  registerCommerceRoutes(app, deps)
  registerRelationshipRoutes(app, deps)
  registerSegmentsRoutes(app, deps)
  registerValueRoutes(app, deps)
  registerAnalyticsRoutes(app, deps)
  registerAuditRoutes(app, deps)
  registerBrandRoutes(app, deps)
  registerExportRoutes(app, deps)
}
