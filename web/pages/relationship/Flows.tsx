import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { MigrationReport } from '../../api/queries.ts'
import { defined, opens } from '../../paths.ts'
import { useBeside } from '../../ui/beside.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ChartFrame } from '../../ui/ChartFrame.tsx'
import { depthNameKey } from '../../ui/Depth.tsx'
import { FlowChart } from './FlowChart.tsx'
import { FlowTable } from './FlowTable.tsx'

/** From which depth to which: the picture, and the same as a table. */
export function Flows({ report, isTable }: { report: MigrationReport; isTable: boolean }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const beside = useBeside()
  const { instant, day } = useBrandFormat()
  const name = (depth: number) => t(depthNameKey(depth))
  const header = [t('csv.from_depth'), t('csv.from_name'), t('csv.to_depth'), t('csv.to_name'), t('depth.people')]
  const rows = report.flows.map(({ from_depth: from, to_depth: to, people }) => [
    from,
    name(from),
    to,
    name(to),
    people,
  ])
  return (
    <ChartFrame
      id="flows-title"
      title={t('migration.flows')}
      aside={t('migration.flows_aside', { from: instant(report.from), to: instant(report.to) })}
      isTable={isTable}
      onTable={(table) =>
        void navigate({
          to: '.',
          search: (now: Record<string, unknown>) => {
            const { table: _table, ...rest } = now
            return { ...rest, ...defined({ table: table || undefined }) }
          },
          replace: true,
          resetScroll: false,
        })
      }
      csv={{ name: `depth-migration-${day(report.from)}-${day(report.to)}`, rows: [header, ...rows] }}
    >
      {isTable ? (
        <FlowTable report={report} />
      ) : (
        <FlowChart
          report={report}
          onPick={(from, to) => void navigate({ to: '.', search: beside(opens.flow(from, to)), resetScroll: false })}
        />
      )}
      <p className="note">{t('migration.flows_note')}</p>
    </ChartFrame>
  )
}
