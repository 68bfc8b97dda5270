import { type AnalyticsDeps, registerAnalyticsRoutes } from '../modules/analytics/routes.ts'
import type { Http } from '../platform/http.ts'

/** Every module's routes: what the server serves and what the OpenAPI document describes. */
export function registerRoutes(app: Http, deps: AnalyticsDeps): void {
  registerAnalyticsRoutes(app, deps)
}
