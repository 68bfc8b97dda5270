import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { Account } from './Account.tsx'
import { ApiKeys } from './ApiKeys.tsx'
import { AuditLog } from './AuditLog.tsx'
import { BrandSettings } from './BrandSettings.tsx'
import { Users } from './Users.tsx'
import { Webhooks } from './Webhooks.tsx'

const auditRoute = getRouteApi('/shell/settings/audit')

export function BrandRoute() {
  return <BrandSettings />
}

export function UsersRoute() {
  return <Users />
}

export function KeysRoute() {
  return <ApiKeys />
}

export function WebhooksRoute() {
  return <Webhooks />
}

export function AuditRoute() {
  return <AuditLog search={useWithoutBrand(auditRoute.useSearch())} />
}

export function AccountRoute() {
  return <Account />
}
