import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { tagsQuery } from '../../api/queries.ts'
import { FAN_TIERS, type PeopleSearch, RFM_SEGMENTS, readPeopleSearch } from '../../paths.ts'
import { depthNameKey } from '../../ui/Depth.tsx'
import { SearchIcon } from '../../ui/icons.tsx'
import { takeSearchWish } from '../../ui/search-focus.ts'

const DEPTHS = [5, 4, 3, 2, 1, 0] as const
const LAPSING_DAYS = [7, 30, 90] as const

/** What the list is narrowed by. Each choice is in the address at once. */
export function PeopleFilters({ search }: { search: PeopleSearch }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { person: _person, ...filter } = search
  // Read as an address is: an empty choice drops out of it.
  const choose = (name: keyof PeopleSearch, value: string) =>
    void navigate({
      to: '/people',
      search: readPeopleSearch({ ...filter, [name]: value === '' ? undefined : value }),
      replace: true,
      resetScroll: false,
    })
  return (
    <search className="people-filters">
      <SearchField value={filter.search ?? ''} onSearch={(text) => choose('search', text)} />
      <Choice label={t('people.depth')} value={filter.depth} onChoose={(value) => choose('depth', value)}>
        {DEPTHS.map((depth) => (
          <option key={depth} value={depth}>
            {`${depth} ${t(depthNameKey(depth))}`}
          </option>
        ))}
      </Choice>
      <Choice label={t('person.segment')} value={filter.rfm_segment} onChoose={(value) => choose('rfm_segment', value)}>
        {RFM_SEGMENTS.map((segment) => (
          <option key={segment} value={segment}>
            {t(`segment.${segment}`)}
          </option>
        ))}
      </Choice>
      <Choice label={t('people.fan_tier')} value={filter.fan_tier} onChoose={(value) => choose('fan_tier', value)}>
        {FAN_TIERS.toReversed().map((tier) => (
          <option key={tier} value={tier}>
            {t(`tier.${tier}`)}
          </option>
        ))}
      </Choice>
      <Choice
        label={t('people.lapsing')}
        value={filter.lapsing_days}
        onChoose={(value) => choose('lapsing_days', value)}
      >
        {[...new Set([...LAPSING_DAYS, ...(filter.lapsing_days === undefined ? [] : [filter.lapsing_days])])].map(
          (days) => (
            <option key={days} value={days}>
              {t('people.within_days', { days })}
            </option>
          ),
        )}
      </Choice>
      <Choice label={t('people.bought')} value={filter.buyers} onChoose={(value) => choose('buyers', value)}>
        <option value="true">{t('people.bought_yes')}</option>
        <option value="false">{t('people.bought_no')}</option>
      </Choice>
      <TagChoice value={filter.tag} onChoose={(value) => choose('tag', value)} />
      {Object.keys(filter).length > 0 && (
        <Link to="/people" search={{}} className="people-clear" activeProps={{}}>
          {t('people.clear')}
        </Link>
      )}
    </search>
  )
}

/** Tags that can be given, and the one of the address whatever it is. */
function TagChoice({ value, onChoose }: { value: number | undefined; onChoose: (value: string) => void }) {
  const { t } = useTranslation()
  const { data } = useQuery(tagsQuery)
  const tags = data?.tags.filter(({ archived_at: at, tag_id: id }) => at === null || id === value) ?? []
  if (tags.length === 0) return null
  return (
    <Choice label={t('tags.filter')} value={value} onChoose={onChoose}>
      {tags.map(({ tag_id: id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Choice>
  )
}

interface ChoiceProps {
  label: string
  value: string | number | boolean | undefined
  onChoose: (value: string) => void
  children: ReactNode
}

/** The browser's own list: it is at hand on a phone, and every keyboard and reader knows it. */
function Choice({ label, value, onChoose, children }: ChoiceProps) {
  const { t } = useTranslation()
  return (
    <label className="choice">
      <span>{label}</span>
      <select value={value === undefined ? '' : String(value)} onChange={(event) => onChoose(event.target.value)}>
        <option value="">{t('people.any')}</option>
        {children}
      </select>
    </label>
  )
}

/** Somebody who is still typing is not asked about. */
const TYPING_MS = 250

function SearchField({ value, onSearch }: { value: string; onSearch: (text: string) => void }) {
  const { t } = useTranslation()
  const field = useRef<HTMLInputElement>(null)
  const [typed, setTyped] = useState(value)
  const search = useRef(onSearch)
  search.current = onSearch

  useEffect(() => {
    if (takeSearchWish()) field.current?.focus()
  }, [])
  // Back, or a link: the address says something else than the field.
  useEffect(() => setTyped(value), [value])
  useEffect(() => {
    if (typed.trim() === value) return
    const timer = setTimeout(() => search.current(typed.trim()), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed, value])

  return (
    <label className="search-field">
      <SearchIcon />
      <span className="visually-hidden">{t('people.search')}</span>
      <input
        ref={field}
        type="search"
        value={typed}
        placeholder={t('people.search_hint')}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') search.current(typed.trim())
          if (event.key === 'Escape') {
            setTyped('')
            field.current?.blur()
          }
        }}
      />
      <span className="key-hint" aria-hidden="true">
        /
      </span>
    </label>
  )
}
