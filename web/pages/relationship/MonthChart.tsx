import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import type { Way } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Chart, type ChartOption } from '../../ui/Chart.tsx'
import { chartPalette } from '../../ui/chart-theme.ts'
import { useIsDark } from '../../ui/preferences.ts'
import { size } from '../../ui/tokens.ts'
import type { Month } from './Months.tsx'

const HEIGHT_PX = 260
const NARROW_PX = 560

interface MonthChartProps {
  months: readonly Month[]
  nameOf: (month: Month) => string
  onPick: (month: Month, way: Way) => void
}

/** Who went deeper above the line, who did not below it, and what is left of both written on top. */
export function MonthChart({ months, nameOf, onPick }: MonthChartProps) {
  const { t } = useTranslation()
  const { count, signed } = useBrandFormat()
  const isDark = useIsDark()

  const optionFor = useCallback(
    (width: number): ChartOption => {
      const palette = chartPalette(isDark)
      const isNarrow = width < NARROW_PX
      const bar = { type: 'bar' as const, stack: 'moved', barMaxWidth: 32, cursor: 'pointer' }
      return {
        grid: { left: isNarrow ? 34 : 44, right: 8, top: 26, bottom: 42 },
        tooltip: {
          trigger: 'axis',
          axisPointer: { type: 'none' },
          renderMode: 'richText',
          formatter: (shown) => {
            const month = months[(Array.isArray(shown) ? shown[0] : shown)?.dataIndex ?? -1]
            if (!month) return ''
            return [
              `${nameOf(month)}  ${t('migration.net')} ${signed(month.net_deepening)}`,
              `${t('migration.ups')} ${count(month.ups)}`,
              `${t('migration.downs')} ${count(month.downs)}`,
            ].join('\n')
          },
        },
        xAxis: {
          type: 'category',
          // The year under the first month and where another one begins.
          data: months.map((month, place) => {
            const [year = '', number = ''] = nameOf(month).split('-')
            const isNamed = place === 0 || number === '01'
            // Two whole years side by side would run into one another.
            return isNamed ? `${number}\n${isNarrow ? `’${year.slice(2)}` : year}` : number
          }),
          axisLabel: { interval: 0 },
        },
        yAxis: {
          type: 'value',
          minInterval: 1,
          splitNumber: 4,
          axisLabel: { formatter: (value: number) => count(Math.abs(value)) },
        },
        series: [
          {
            ...bar,
            name: t('migration.ups'),
            data: months.map((month) => month.ups),
            itemStyle: { color: palette.accent },
            label: {
              show: true,
              position: 'top',
              color: palette.ink,
              fontSize: isNarrow ? 10 : size.small,
              formatter: ({ dataIndex }) => signed(months[dataIndex]?.net_deepening ?? 0),
            },
          },
          {
            ...bar,
            name: t('migration.downs'),
            data: months.map((month) => -month.downs),
            itemStyle: { color: palette.lineStrong },
          },
        ],
      }
    },
    [months, nameOf, isDark, t, count, signed],
  )

  const ups = months.reduce((sum, month) => sum + month.ups, 0)
  const downs = months.reduce((sum, month) => sum + month.downs, 0)
  return (
    <Chart
      label={t('months.chart', { ups: count(ups), downs: count(downs) })}
      heightPx={HEIGHT_PX}
      optionFor={optionFor}
      onPick={({ dataIndex, seriesIndex }) => {
        const month = months[dataIndex ?? -1]
        if (month) onPick(month, seriesIndex === 0 ? 'up' : 'down')
      }}
    />
  )
}
