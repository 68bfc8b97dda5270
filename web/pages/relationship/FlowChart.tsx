import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import type { MigrationReport } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Chart, type ChartOption } from '../../ui/Chart.tsx'
import { chartPalette } from '../../ui/chart-theme.ts'
import { depthNameKey } from '../../ui/Depth.tsx'
import { useIsDark, useLanguage } from '../../ui/preferences.ts'
import { fontFamilies, size } from '../../ui/tokens.ts'

const HEIGHT_PX = 380
const NARROW_PX = 560
/** Between the words and the columns beside which they stand. */
const GAP_PX = 10

/** How wide a text is drawn: the words of another language, or figures of another size, need other room. */
function textWidthPx(text: string, fontPx: number, fontFamily: string): number {
  pen ??= document.createElement('canvas').getContext('2d') ?? undefined
  if (!pen) return text.length * fontPx
  pen.font = `${fontPx}px ${fontFamily}`
  return pen.measureText(text).width
}
let pen: CanvasRenderingContext2D | undefined

interface FlowChartProps {
  report: MigrationReport
  onPick: (from: number | undefined, to: number | undefined) => void
}

/** Depths then on the left, depths now on the right, deepest on top. A band has the colours of where it begins and ends. */
export function FlowChart({ report, onPick }: FlowChartProps) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const isDark = useIsDark()
  const language = useLanguage()

  const optionFor = useCallback(
    (width: number): ChartOption => {
      const palette = chartPalette(isDark)
      const isNarrow = width < NARROW_PX
      const name = (depth: number) => `${depth} ${t(depthNameKey(depth))}`
      const ends = report.depths.toSorted((a, b) => b.depth - a.depth)
      const fontPx = isNarrow ? size.small : size.base
      const texts = ends.flatMap(({ depth, people_from, people_to }) =>
        [people_from, people_to].flatMap((people) =>
          isNarrow ? [name(depth), count(people)] : [`${name(depth)}  ${count(people)}`],
        ),
      )
      const label =
        GAP_PX + Math.ceil(Math.max(...texts.map((text) => textWidthPx(text, fontPx, fontFamilies[language]))))
      const node = (side: 'from' | 'to', depth: number, people: number) => ({
        name: `${side} ${depth}`,
        depth: side === 'from' ? 0 : 1,
        itemStyle: { color: palette.depth[depth] ?? palette.lineStrong, borderWidth: 0 },
        label: {
          position: side === 'from' ? ('left' as const) : ('right' as const),
          formatter: isNarrow ? `${name(depth)}\n${count(people)}` : `${name(depth)}  {number|${count(people)}}`,
        },
      })
      return {
        tooltip: {
          trigger: 'item',
          // Text and nothing else: what comes from data must not become markup.
          renderMode: 'richText',
          formatter: (shown) => {
            const picked = pickedOf(Array.isArray(shown) ? shown[0] : shown)
            const people = Number((Array.isArray(shown) ? shown[0] : shown)?.value ?? 0)
            if (!picked) return ''
            const [from, to] = picked
            const words = [from, to].flatMap((depth) => (depth === undefined ? [] : [name(depth)])).join(' → ')
            return `${words}  ${t('list.total', { people: count(people), count: people })}`
          },
        },
        series: [
          {
            type: 'sankey',
            left: label,
            right: label,
            // The words of a column that is one person high stand over its ends.
            top: isNarrow ? 20 : 10,
            bottom: isNarrow ? 20 : 10,
            nodeWidth: 14,
            nodeGap: 14,
            nodeAlign: 'justify',
            // In the order given, deepest on top: an order that the layout likes better would differ from span to span.
            layoutIterations: 0,
            draggable: false,
            emphasis: { focus: 'adjacency', lineStyle: { opacity: 0.75 } },
            lineStyle: { color: 'gradient', opacity: isDark ? 0.5 : 0.42, curveness: 0.5 },
            label: {
              color: palette.ink,
              fontSize: fontPx,
              rich: { number: { color: palette.inkSoft, fontSize: size.base } },
            },
            data: [
              ...ends.filter((end) => end.people_from > 0).map((end) => node('from', end.depth, end.people_from)),
              ...ends.filter((end) => end.people_to > 0).map((end) => node('to', end.depth, end.people_to)),
            ],
            links: ends.flatMap(({ depth: from }) =>
              ends.flatMap(({ depth: to }) => {
                const people =
                  report.flows.find((flow) => flow.from_depth === from && flow.to_depth === to)?.people ?? 0
                return people === 0 ? [] : [{ source: `from ${from}`, target: `to ${to}`, value: people }]
              }),
            ),
          },
        ],
      }
    },
    [report, isDark, language, t, count],
  )

  return (
    <Chart
      label={t('migration.chart', { people: count(report.people), ups: count(report.ups), downs: count(report.downs) })}
      heightPx={HEIGHT_PX}
      optionFor={optionFor}
      onPick={(event) => {
        const picked = pickedOf(event)
        if (picked) onPick(...picked)
      }}
    />
  )
}

/** The two depths of a band, or the one of a column. */
function pickedOf(event: unknown): [number | undefined, number | undefined] | undefined {
  if (typeof event !== 'object' || event === null || !('data' in event)) return undefined
  const data = event.data
  if (typeof data !== 'object' || data === null) return undefined
  if ('source' in data && 'target' in data) return [depthIn(data.source), depthIn(data.target)]
  if (!('name' in data)) return undefined
  return String(data.name).startsWith('from') ? [depthIn(data.name), undefined] : [undefined, depthIn(data.name)]
}

function depthIn(node: unknown): number {
  return Number(String(node).split(' ')[1])
}
