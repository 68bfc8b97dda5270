import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { type Opened, readTodaySearch } from '../paths.ts'

interface FigureProps {
  /** What opens; the instant the page is read at is kept. */
  opened: Opened
  /** Said to those who do not see the column the figure stands in. */
  label?: string
  className?: string
  children: ReactNode
}

/** A figure that opens the people behind it. */
export function Figure({ opened, label, className, children }: FigureProps) {
  return (
    <Link
      to="/"
      // Only the instant stays: what was open before would otherwise shine through the new list.
      search={(now) => {
        const { as_of } = readTodaySearch(now)
        return as_of === undefined ? opened : { ...opened, as_of }
      }}
      className={className ?? 'figure'}
      aria-label={label}
      // Opening is no new page: the reader stays where they were.
      resetScroll={false}
    >
      {children}
    </Link>
  )
}
