import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { depthChangesQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthName } from '../../ui/Depth.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { causeName } from './MovedList.tsx'

/** Every change of depth, newest first, each with the fact that caused it. */
export function DepthHistory({ personId }: { personId: number }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  return (
    <section>
      <h2>{t('person.changes')}</h2>
      <Loaded query={useQuery(depthChangesQuery(personId))} problem={t('problem.person')} lines={[40, 52, 46]}>
        {({ changes }) =>
          changes.length === 0 ? (
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
        }
      </Loaded>
    </section>
  )
}
