import './people-drawer.css'
import { useNavigate } from '@tanstack/react-router'
import { Button, Drawer } from 'antd'
import type { TFunction } from 'i18next'
import { type ReactNode, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { filterOf, type TodaySearch } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark, depthNameKey } from '../../ui/Depth.tsx'
import { BackIcon, CloseIcon } from '../../ui/icons.tsx'
import { depthRuleKey } from '../today/Depths.tsx'
import { AnonymousExplained, UnmatchedExplained } from './Explained.tsx'
import { PeopleList } from './PeopleList.tsx'
import { PersonDetail } from './PersonDetail.tsx'

const WIDTH_PX = 720

/** What a figure opens, beside the page: the list, and a person of it in front. The URL says which. */
export function PeopleDrawer({ brief, search }: { brief: Brief; search: TodaySearch }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const isOpen = search.list !== undefined || search.person !== undefined
  const asOf = search.as_of === undefined ? {} : { as_of: search.as_of }
  const close = () => void navigate({ to: '/', search: asOf, resetScroll: false })

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
        <Pane
          key={`${shown.list} ${shown.depth} ${shown.lapsing_days} ${shown.since_yesterday}`}
          isBehind={shown.person !== undefined}
        >
          <PaneHeader
            mark={shown.list === 'depth' && <DepthMark depth={shown.depth ?? 0} />}
            title={listTitle(t, shown)}
            onClose={close}
          />
          <ListBody brief={brief} search={shown} />
        </Pane>
      )}
      {shown.person !== undefined && (
        <Pane key={shown.person} isBehind={false}>
          <PersonDetail
            personId={shown.person}
            asOf={shown.as_of}
            header={(title) => (
              <PaneHeader
                title={title}
                onClose={close}
                onBack={
                  shown.list === undefined
                    ? undefined
                    : () => {
                        const { person: _person, ...list } = shown
                        void navigate({ to: '/', search: list, resetScroll: false })
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

function listTitle(t: Translate, search: TodaySearch): string {
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
    case 'anonymous':
      return t('list.anonymous_title')
    case 'unmatched':
      return t('list.unmatched_title')
    default:
      return ''
  }
}

/** Who is in the list, in words. */
function listRule(t: Translate, search: TodaySearch, periodDays: number): string {
  if (search.list === 'buyers') return t('list.buyers_rule')
  if (search.list === 'depth') return t(depthRuleKey(search.depth ?? 0), { days: periodDays })
  if (search.list === 'lapsing') return t('list.lapsing_rule', { days: search.lapsing_days ?? 0 })
  if (search.list === 'since') return t(`list.since_${search.since_yesterday ?? 'ordered'}_rule`)
  return t('list.people_rule')
}

function ListBody({ brief, search }: { brief: Brief; search: TodaySearch }) {
  const { t } = useTranslation()
  const { periodDays } = useBrandFormat()
  if (search.list === 'anonymous') return <AnonymousExplained brief={brief} />
  if (search.list === 'unmatched') return <UnmatchedExplained brief={brief} />
  const filter = filterOf(search)
  if (!filter) return null
  return (
    <PeopleList
      title={listTitle(t, search)}
      rule={listRule(t, search, periodDays)}
      filter={filter}
      asOf={search.as_of}
      openedBy={(person) => {
        const { as_of: _asOf, ...list } = search
        return { ...list, person: person.person_id }
      }}
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
