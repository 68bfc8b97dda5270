import type { TFunction } from 'i18next'
import type { PreviewCell } from '../../api/import-queries.ts'
import { importZhCN } from '../../i18n/import-zh-CN.ts'

type Key = keyof typeof importZhCN

function isKey(key: string): key is Key {
  return Object.hasOwn(importZhCN, key)
}

/** What a field is called; one that this console does not know yet keeps its own name. */
export function fieldName(t: TFunction, field: string): string {
  const [, role, bare = field] = /^(referrer|invitee)_(.+)$/.exec(field) ?? []
  const key = `field.${bare}`
  const name = isKey(key) ? t(key as 'field.name') : bare
  if (role === 'referrer') return t('field.of_referrer', { field: name })
  return role === 'invitee' ? t('field.of_invitee', { field: name }) : name
}

/** What a part of a row that was read is called. */
export function cellName(t: TFunction, cell: string): string {
  const key = `cell.${cell}`
  return isKey(key) ? t(key as 'cell.version') : fieldName(t, cell)
}

export function cellText(t: TFunction, cell: PreviewCell | undefined): string {
  if (cell === undefined) return ''
  if (cell === 'true') return t('cell.yes')
  if (typeof cell === 'string') return cell
  return cell.map(({ kind, value }) => `${fieldName(t, kind)} ${value}`).join(' · ')
}

export function reasonText(t: TFunction, reason: string): string {
  const key = `reason.${reason}`
  return isKey(key) ? t(key as 'reason.erased') : reason
}

const STEP = 1000
const UNITS = ['B', 'kB', 'MB', 'GB'] as const

/** `12.3 MB`. */
export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const size = bytes / STEP ** power
  return `${size.toFixed(power === 0 || size >= 100 ? 0 : 1)} ${UNITS[power]}`
}
