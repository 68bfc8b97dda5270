import './people-drawer.css'
import { useNavigate } from '@tanstack/react-router'
import { Button, Drawer } from 'antd'
import type { TFunction } from 'i18next'
import { type ReactNode, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Brief, Span } from '../../api/queries.ts'
import { filterOf, type Opened } from '../../paths.ts'
import { useBeside } from '../../ui/beside.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark, depthNameKey } from '../../ui/Depth.tsx'
import { BackIcon, CloseIcon } from '../../ui/icons.tsx'
import { depthRuleKey } from '../today/Depths.tsx'
import { thirdKey } from '../value/thirds.ts'
import { ValuedList } from '../value/ValuedList.tsx'
import { AnonymousExplained, UnmatchedExplained } from './Explained.tsx'
import { causeName, MovedList } from './MovedList.tsx'
import { PeopleList } from './PeopleList.tsx'
import { PersonDetail } from './PersonDetail.tsx'

const WIDTH_PX = 720

interface PeopleDrawerProps {
  search: Opened
  asOf?: string | undefined
  /** For the two figures that open their reason; pages without them have none. */
  brief?: Brief | undefined
  /** For lists of who moved. */
  span?: Span | undefined
  /** What the page has to say of a person, first of all that is said of them. */
  lead?: (personId: number) => ReactNode
}

/** What a figure opens, beside the page: the list, and a person of it in front. The URL says which. */
export function PeopleDrawer({ search, asOf, brief, span, lead }: PeopleDrawerProps) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const beside = useBeside()
  const isOpen = search.list !== undefined || search.person !== undefined
  const open = (opened: Opened) => void navigate({ to: '.', search: beside(opened), state: true, resetScroll: false })
  const close = () => open({})

  // While it slides away the drawer keeps what it showed: an emptied one would flash.
  const lastShown = useRef(search)
  if (isOpen) lastShown.current = search
  const shown = isOpen ? search : lastShown.current

  return (
    <Drawer
      open={isOpen}
      onClose={close}
      size={WIDTH_PX}
      mask={{ blur: false }}
      closable={false}
      destroyOnHidden
      rootClassName="people-drawer"
      styles={{ body: { padding: 0, position: 'relative' } }}
      aria-label={shown.person === undefined ? listTitle(t, shown) : t('person.loading')}
    >
      {shown.list !== undefined && (
        <Pane key={JSON.stringify({ ...shown, person: undefined })} isBehind={shown.person !== undefined}>
          <PaneHeader
            mark={shown.list === 'depth' && <DepthMark depth={shown.depth ?? 0} />}
            title={listTitle(t, shown)}
            onClose={close}
          />
          <ListBody search={shown} asOf={asOf} brief={brief} span={span} />
        </Pane>
      )}
      {shown.person !== undefined && (
        <Pane key={shown.person} isBehind={false}>
          <PersonDetail
            personId={shown.person}
            asOf={asOf}
            lead={lead?.(shown.person)}
            header={(title) => (
              <PaneHeader
                title={title}
                onClose={close}
                onBack={
                  shown.list === undefined
                    ? undefined
                    : () => {
                        const { person: _person, ...list } = shown
                        open(list)
                      }
                }
              />
            )}
          />
        </Pane>
      )}
    </Drawer>
  )
}

type Translate = TFunction

function listTitle(t: Translate, search: Opened): string {
  const depthName = (depth: number) => `${depth} ${t(depthNameKey(depth))}`
  switch (search.list) {
    case 'people':
      return t('list.people_title')
    case 'buyers':
      return t('list.buyers_title')
    case 'depth':
      return t('list.depth_title', { name: `${search.depth ?? 0} ${t(depthNameKey(search.depth ?? 0))}` })
    case 'lapsing':
      return t('list.lapsing_title', { days: search.lapsing_days ?? 0 })
    case 'since':
      return t(`list.since_${search.since_yesterday ?? 'ordered'}_title`)
    case 'standing':
      return [
        ...(search.depth === undefined ? [] : [depthName(search.depth)]),
        ...(search.rfm_segment === undefined ? [] : [t(`segment.${search.rfm_segment}`)]),
      ].join(' · ')
    case 'valued':
      return [
        depthName(search.depth ?? 0),
        t('value.transaction', { third: t(thirdKey(search.transaction)) }),
        t('value.propagation', { third: t(thirdKey(search.propagation)) }),
      ].join(' · ')
    case 'moved':
      return movedTitle(t, search)
    case 'anonymous':
      return t('list.anonymous_title')
    case 'unmatched':
      return t('list.unmatched_title')
    default:
      return ''
  }
}

function movedTitle(t: Translate, { from_depth: from, to_depth: to, moved, cause }: Opened): string {
  const name = (depth: number) => `${depth} ${t(depthNameKey(depth))}`
  if (from !== undefined && to !== undefined) return `${name(from)} → ${name(to)}`
  if (from !== undefined) return t('moved.from_title', { name: name(from) })
  if (to !== undefined) return t('moved.to_title', { name: name(to) })
  const way = t(`moved.${moved ?? 'all'}_title`)
  return cause === undefined ? way : `${way} · ${causeName(t, cause)}`
}

/** Who is in the list, in words. */
function listRule(t: Translate, search: Opened, periodDays: number): string {
  if (search.list === 'buyers') return t('list.buyers_rule')
  if (search.list === 'depth') return t(depthRuleKey(search.depth ?? 0), { days: periodDays })
  if (search.list === 'lapsing') return t('list.lapsing_rule', { days: search.lapsing_days ?? 0 })
  if (search.list === 'since') return t(`list.since_${search.since_yesterday ?? 'ordered'}_rule`)
  if (search.list === 'standing') return t('list.standing_rule')
  return t('list.people_rule')
}

function ListBody({ search, asOf, brief, span }: PeopleDrawerProps) {
  const { t } = useTranslation()
  const { periodDays } = useBrandFormat()
  const withPerson = (personId: number): Opened => ({ ...search, person: personId })
  if (search.list === 'anonymous') return brief ? <AnonymousExplained brief={brief} /> : null
  if (search.list === 'unmatched') return brief ? <UnmatchedExplained brief={brief} /> : null
  if (search.list === 'moved') {
    return span ? <MovedList title={listTitle(t, search)} span={span} search={search} openedBy={withPerson} /> : null
  }
  if (search.list === 'valued') {
    const { depth, transaction, propagation } = search
    return depth === undefined || transaction === undefined || propagation === undefined ? null : (
      <ValuedList
        title={listTitle(t, search)}
        cell={{ depth, transaction, propagation }}
        asOf={asOf}
        openedBy={withPerson}
      />
    )
  }
  const filter = filterOf(search)
  if (!filter) return null
  return (
    <PeopleList
      title={listTitle(t, search)}
      rule={listRule(t, search, periodDays)}
      filter={filter}
      asOf={asOf}
      openedBy={(person) => withPerson(person.person_id)}
    />
  )
}

interface PaneProps {
  /** Out of sight behind a person, but kept: going back finds the same rows at the same place. */
  isBehind: boolean
  children: ReactNode
}

/** Give it a key: other content is another pane, and the keyboard goes to its beginning. */
function Pane({ isBehind, children }: PaneProps) {
  const pane = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!isBehind) pane.current?.focus({ preventScroll: true })
  }, [isBehind])
  return (
    <div ref={pane} className={isBehind ? 'pane pane-behind' : 'pane'} inert={isBehind} tabIndex={-1}>
      {children}
    </div>
  )
}

interface PaneHeaderProps {
  mark?: ReactNode
  title: string
  onClose: () => void
  onBack?: (() => void) | undefined
}

function PaneHeader({ mark, title, onClose, onBack }: PaneHeaderProps) {
  const { t } = useTranslation()
  return (
    <header className="pane-header">
      {onBack && (
        <Button type="text" icon={<BackIcon />} onClick={onBack} className="pane-back">
          <span className="pane-back-text">{t('list.back')}</span>
        </Button>
      )}
      <h2 className="pane-title">
        {mark}
        <span title={title}>{title}</span>
      </h2>
      <Button type="text" icon={<CloseIcon />} onClick={onClose} aria-label={t('list.close')} className="pane-close" />
    </header>
  )
}
