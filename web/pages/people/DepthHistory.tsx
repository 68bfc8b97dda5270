import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { depthChangesQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthName } from '../../ui/Depth.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { causeName } from './MovedList.tsx'

interface DepthHistoryProps {
  personId: number
  title: ReactNode
  /** What came later is left out. */
  asOf?: string | undefined
}

/** Every change of depth, newest first, each with the fact that caused it. */
export function DepthHistory({ personId, title, asOf }: DepthHistoryProps) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  return (
    <section>
      {title}
      <Loaded query={useQuery(depthChangesQuery(personId))} problem={t('problem.person')} lines={[40, 52, 46]}>
        {({ changes: all }) => {
          const changes = asOf ? all.filter(({ changed_at }) => Date.parse(changed_at) <= Date.parse(asOf)) : all
          return changes.length === 0 ? (
            <p className="soft">{t('person.changes_none')}</p>
          ) : (
            <table className="plain" aria-label={t('person.changes')}>
              <thead>
                <tr>
                  <th scope="col">{t('person.day')}</th>
                  <th scope="col">{t('person.change')}</th>
                  <th scope="col">{t('person.cause')}</th>
                </tr>
              </thead>
              <tbody>
                {changes.toReversed().map((change) => (
                  <tr key={`${change.changed_at} ${change.to_depth}`}>
                    <td>{day(change.changed_at)}</td>
                    <td>
                      <span className="change">
                        <span>{change.from_depth}</span>
                        <span aria-hidden="true">→</span>
                        <DepthName depth={change.to_depth} />
                      </span>
                    </td>
                    <td>
                      {causeName(t, change.cause.kind)} <span className="id faint">{change.cause.external_id}</span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }}
      </Loaded>
    </section>
  )
}
