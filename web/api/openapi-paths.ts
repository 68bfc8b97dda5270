/** The API as the console uses it, in the shape openapi-typescript writes. */

type DepthKey = 'unconnected' | 'connected' | 'member' | 'buyer' | 'repeat_buyer' | 'advocate'

interface Refused {
  headers: Record<string, unknown>
  content: { 'application/json': { error: { code: string; kind: string; message: string; remedy: string } } }
}

interface Answer<Body> {
  headers: Record<string, unknown>
  content: { 'application/json': Body }
}

interface Get<Parameters, Body> {
  parameters: Parameters
  requestBody?: never
  responses: { 200: Answer<Body>; '4XX': Refused; '5XX': Refused }
}

interface Post<Request, Body> {
  parameters: { query?: never; header?: never; path?: never; cookie?: never }
  requestBody: { content: { 'application/json': Request } }
  responses: { 200: Answer<Body>; '4XX': Refused; '5XX': Refused }
}

interface NoParameters {
  query?: never
  header?: never
  path?: never
  cookie?: never
}

interface OnlyGet {
  parameters: NoParameters
  put?: never
  post?: never
  delete?: never
  options?: never
  head?: never
  patch?: never
  trace?: never
}

interface OnlyPost {
  parameters: NoParameters
  get?: never
  put?: never
  delete?: never
  options?: never
  head?: never
  patch?: never
  trace?: never
}

interface ListedPerson {
  person_id: number
  key: string
  source: string
  depth: number
  depth_key: DepthKey
  since: string | null
  lapses_at: string | null
  lapses_to: number | null
  last_occasion_at: string | null
  occasions: number
  net_paid_minor: number
}

export interface paths {
  '/api/v1/session': OnlyGet & {
    get: Get<
      NoParameters,
      {
        signed_in: boolean
        user?: { name: string; email: string; role: string; has_password: boolean }
        brand?: { key: string; name: string; is_demo: boolean }
      }
    >
  }
  '/api/v1/brief': OnlyGet & {
    get: Get<
      { query?: { as_of?: string }; header?: never; path?: never; cookie?: never },
      {
        brand: {
          key: string
          name: string
          is_demo: boolean
          zone: string
          currency: string
          period_days: number
        }
        as_of: string
        people: number
        buyers: number
        orders: number
        anonymous_orders: number
        net_revenue_minor: number
        anonymous_net_revenue_minor: number
        unmatched_refunds: number
        unmatched_refunds_minor: number
        depths: { depth: number; key: DepthKey; people: number }[]
        lapsing_7_days: number
        lapsing_30_days: number
        lapses_next: ListedPerson[]
        since_yesterday: {
          orders_recorded: number
          refunds_recorded: number
          net_revenue_recorded_minor: number
          people_deepened: number
          people_lapsed: number
        }
        last_import: {
          import_id: number
          file_name: string
          finished_at: string
          rows_in: number
          rows_stored: number
          rows_merged: number
          rows_rejected: number
        } | null
      }
    >
  }
  '/api/v1/people': OnlyGet & {
    get: Get<
      {
        query?: {
          depth?: number
          lapsing_days?: number
          buyers?: 'true' | 'false'
          as_of?: string
          after?: string
          limit?: number
        }
        header?: never
        path?: never
        cookie?: never
      },
      { total: number; people: ListedPerson[]; next: string | null }
    >
  }
  '/api/v1/people/{person_id}': OnlyGet & {
    get: Get<
      { query?: { as_of?: string }; header?: never; path: { person_id: number }; cookie?: never },
      Omit<ListedPerson, 'occasions'> & {
        identities: { kind: string; namespace: string; value: string; channel?: string }[]
        connections: { channel: string; begun_at: string; ended_at: string | null }[]
        evidence: {
          fact_id: number
          kind: 'order' | 'refund' | 'connection'
          source: string
          external_id: string
          occurred_at: string
        }[]
        next_step: 'connect' | 'enrol' | 'purchase' | 'repurchase' | 'spread' | null
        rfm: {
          recency_days: number
          frequency: number
          monetary_minor: number
          r: number
          f: number
          m: number
          segment: string
        } | null
        occasions: { day: string; occasion_at: string; net_minor: number; orders: number }[]
        changes: { changed_at: string; from_depth: number; to_depth: number; cause: number | null }[]
      }
    >
  }
  '/api/v1/account': OnlyPost & {
    post: Post<{ name: string; email: string; password: string }, Record<string, unknown>>
  }
  '/api/auth/sign-in/email': OnlyPost & {
    post: Post<{ email: string; password: string }, Record<string, unknown>>
  }
  '/api/auth/sign-out': OnlyPost & {
    post: Post<Record<string, never>, Record<string, unknown>>
  }
}
