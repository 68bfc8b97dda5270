import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Opened } from '../paths.ts'
import { useBeside } from './beside.ts'

interface FigureProps {
  /** What opens; what the page itself is about, its instant or span, stays. */
  opened: Opened
  /** What the page is to be about from then on, where the figure is of another span than the page. */
  span?: { from: string; to: string }
  /** Said to those who do not see the column the figure stands in. */
  label?: string
  className?: string
  children: ReactNode
}

/** A figure that opens the people behind it, beside the page it stands on. */
export function Figure({ opened, span, label, className, children }: FigureProps) {
  const beside = useBeside()
  return (
    <Link
      to="."
      // What was open before would otherwise shine through the new list.
      search={(now: Record<string, unknown>) => ({
        ...beside(opened)(now),
        ...(span ? { from: span.from, to: span.to } : {}),
      })}
      state={true}
      className={className ?? 'figure'}
      aria-label={label}
      // Opening is no new page: the reader stays where they were.
      resetScroll={false}
    >
      {children}
    </Link>
  )
}
