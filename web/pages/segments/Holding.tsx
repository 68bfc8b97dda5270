import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { holdingQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { PagedList } from '../people/PagedList.tsx'
import { PeopleTable } from '../people/PeopleTable.tsx'
import type { LiveCounted } from './LiveCount.tsx'

/** Where on the page the people are whom the count counts. */
export const HOLDING = 'holding'

/** Who meets what stands there: everybody of them, or where the count is of a sample those of the sample. */
export function Holding({ counted }: { counted: LiveCounted }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const { definition, method, answer, isCurrent } = counted
  // After the count, which whoever types waits for: at a million people both at once keep both cores busy.
  const query = useInfiniteQuery({ ...holdingQuery(definition, method), enabled: isCurrent })
  const pages = query.data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  const sampled = answer?.method === 'sample' ? { sampled: count(answer.sampled) } : undefined
  const isStale = !isCurrent || query.isPlaceholderData
  return (
    <section
      id={HOLDING}
      className={isStale ? 'holding stale' : 'holding'}
      aria-labelledby="holding-title"
      aria-busy={isStale}
    >
      <h2 id="holding-title">{t('holding.title')}</h2>
      <PagedList
        query={query}
        rule={sampled ? t('holding.rule_sampled', sampled) : t('holding.rule')}
        total={query.data?.pages.at(-1)?.total ?? 0}
        shown={pages.reduce((sum, people) => sum + people.length, 0)}
        empty={<p className="soft nobody">{sampled ? t('holding.nobody_sampled', sampled) : t('holding.nobody')}</p>}
      >
        <PeopleTable label={t('holding.title')} pages={pages} openedBy={({ person_id }) => ({ person: person_id })} />
      </PagedList>
    </section>
  )
}
