import { useTranslation } from 'react-i18next'

export type DepthLevel = 0 | 1 | 2 | 3 | 4 | 5

/** The API says a number; the six levels are ours. Anything else is a bug in the data and shows as unconnected. */
export function depthLevel(depth: number): DepthLevel {
  switch (depth) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return depth
    default:
      return 0
  }
}

export function depthNameKey(depth: number): `depth.name_${DepthLevel}` {
  return `depth.name_${depthLevel(depth)}`
}

const BARS = [1, 2, 3, 4, 5] as const

/**
 * Five bars, as many risen as the relationship is deep: readable without seeing the green. Decoration: the
 * words beside it say the same.
 */
export function DepthMark({ depth }: { depth: number }) {
  const level = depthLevel(depth)
  return (
    <svg className="depth-mark" viewBox="0 0 24 14" width="24" height="14" aria-hidden="true">
      {BARS.map((bar) => {
        const filled = bar <= level
        const height = filled ? 2 + bar * 2.4 : 2
        return (
          <rect
            key={bar}
            x={(bar - 1) * 5}
            y={14 - height}
            width="3.6"
            height={height}
            rx="0.8"
            fill={filled ? `var(--depth-${level})` : 'var(--line-strong)'}
          />
        )
      })}
    </svg>
  )
}

export function DepthName({ depth }: { depth: number }) {
  const { t } = useTranslation()
  return (
    <span className="depth-name">
      <DepthMark depth={depth} />
      <span>
        {depth} {t(depthNameKey(depth))}
      </span>
    </span>
  )
}
