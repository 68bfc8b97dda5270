import { useTranslation } from 'react-i18next'
import type { MessageKey } from '../../i18n/zh-CN.ts'
import type { Finding } from './definition.ts'

type FindingKey = Extract<MessageKey, `finding.${string}`>

/** What the server finds most often, in the words of the page; whatever else it says is shown as it says it. */
const KNOWN: readonly (readonly [RegExp, FindingKey])[] = [
  [/^says nothing|^needs (has or name_contains)/, 'finding.nothing'],
  [/^needs at_least or (at_most|below)/, 'finding.range'],
  [/^at_least is (above|not below)/, 'finding.range_order'],
  [/^needs one of last_days/, 'finding.window'],
  [/^ends before/, 'finding.window_order'],
  [/^needs exactly one measure/, 'finding.measure'],
  [/^needs a list with at least one/, 'finding.empty_group'],
  [/expected array to have >=1/, 'finding.empty_list'],
  [/expected number, received (null|undefined)/, 'finding.range'],
  [/^there is no segment/, 'finding.no_segment'],
  [/would contain itself/, 'finding.itself'],
  [/^is no clause/, 'finding.unknown'],
]

export function useFindingText(): (finding: Finding) => string {
  const { t } = useTranslation()
  return ({ reason }) => {
    const [, key] = KNOWN.find(([pattern]) => pattern.test(reason)) ?? []
    return key ? t(key) : reason
  }
}
