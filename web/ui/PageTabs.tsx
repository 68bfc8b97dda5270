import { Link, type LinkProps } from '@tanstack/react-router'

interface PageTabsProps {
  label: string
  tabs: readonly { to: NonNullable<LinkProps['to']>; name: string }[]
}

/** The second level: pages beside one another. Links, so that each has an address. */
export function PageTabs({ label, tabs }: PageTabsProps) {
  return (
    <nav className="tabs" aria-label={label}>
      <ul>
        {tabs.map(({ to, name }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: true, includeSearch: false }}
              activeProps={{ 'aria-current': 'page' }}
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}
