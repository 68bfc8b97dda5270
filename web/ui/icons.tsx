import type { ReactNode } from 'react'

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      viewBox="0 0 20 20"
      width="18"
      height="18"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  )
}

export function TodayIcon() {
  return (
    <Icon>
      <path d="M4 4.500h12v12H4zM4 8.500h12M7 2.500v3.500M13 2.500v3.500M7.500 12.500l1.800 1.800 3.400-3.600" />
    </Icon>
  )
}

export function PeopleIcon() {
  return (
    <Icon>
      <circle cx="7.500" cy="6.500" r="3" />
      <path d="M2 16.500c.4-3.300 2.500-5 5.500-5s5.100 1.700 5.500 5M13 3.800a3 3 0 0 1 0 5.400M15 12c1.700.7 2.700 2.200 3 4.500" />
    </Icon>
  )
}

/** Steps that go deeper: the five depths. */
export function RelationshipIcon() {
  return (
    <Icon>
      <path d="M3 16.500v-2M6.500 16.500V12M10 16.500V9M13.500 16.500V6M17 16.500v-13" />
    </Icon>
  )
}

/** A sheet that goes in. */
export function ImportIcon() {
  return (
    <Icon>
      <path d="M10 3v9M6.500 8.500 10 12l3.500-3.500M3.500 12.500v4h13v-4" />
    </Icon>
  )
}

/** Three sliders. */
export function SettingsIcon() {
  return (
    <Icon>
      <path d="M3 5.500h7M14.500 5.500H17M3 10h2M9.500 10H17M3 14.500h8M15.500 14.500H17" />
      <circle cx="12.200" cy="5.500" r="2" />
      <circle cx="7.200" cy="10" r="2" />
      <circle cx="13.200" cy="14.500" r="2" />
    </Icon>
  )
}

export function SearchIcon() {
  return (
    <Icon>
      <circle cx="8.500" cy="8.500" r="5" />
      <path d="m12.300 12.300 4.700 4.700" />
    </Icon>
  )
}

export function BackIcon() {
  return (
    <Icon>
      <path d="M12 4.500 6.500 10l5.500 5.500" />
    </Icon>
  )
}

export function CloseIcon() {
  return (
    <Icon>
      <path d="m5 5 10 10M15 5 5 15" />
    </Icon>
  )
}

export function SignOutIcon() {
  return (
    <Icon>
      <path d="M8 3.500H4v13h4M8 10h8.500M13.500 7l3 3-3 3" />
    </Icon>
  )
}

/** The evergreen: two leaves that stay. */
export function BrandMark() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <path
        d="M16 25V13M16 18c-5 0-7.500-2.500-7.500-7 5 0 7.500 2.500 7.500 7Zm0-3c0-4.500 2.500-7 7.500-7 0 4.500-2.500 7-7.500 7Z"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="2.200"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}
