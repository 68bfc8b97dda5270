import './people.css'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import type { BrandInfo, PeopleFilter } from '../../api/queries.ts'
import { defined, type PeopleSearch } from '../../paths.ts'
import { KeptBeside } from '../../ui/beside.ts'
import { useMay } from '../../ui/session.ts'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleDrawer } from './PeopleDrawer.tsx'
import { PeopleFilters } from './PeopleFilters.tsx'
import { PeopleList } from './PeopleList.tsx'
import { PeopleTabs } from './PeopleTabs.tsx'

/** Everyone, or those of a filter; the address has the filter, so a list can be sent. */
export function People({ search }: { search: PeopleSearch }) {
  const { t } = useTranslation()
  return <WithBrand title={t('people.title')}>{(brand) => <PeoplePage brand={brand} search={search} />}</WithBrand>
}

function withoutPerson(now: Record<string, unknown>): Record<string, unknown> {
  const { person, ...rest } = now
  return rest
}

function PeoplePage({ brand, search }: { brand: BrandInfo; search: PeopleSearch }) {
  const { t } = useTranslation()
  const { person, buyers, ...filter } = search
  const asked: PeopleFilter = {
    ...filter,
    ...defined({ buyers: buyers === undefined ? undefined : (`${buyers}` as const) }),
  }
  const isFiltered = Object.keys(asked).length > 0
  return (
    // The filter has the names that a list beside another page has: here only the person stands beside.
    <KeptBeside value={withoutPerson}>
      <article className="people-page">
        <PageHeader brand={brand} title={t('people.title')} />
        <PeopleTabs />
        <PeopleFilters search={search} />
        <PeopleList
          title={t('people.title')}
          rule={t(isFiltered ? 'people.filtered_rule' : 'list.people_rule')}
          filter={asked}
          asOf={undefined}
          empty={isFiltered ? <NobodyFound search={search} /> : <NobodyYet />}
          openedBy={({ person_id }) => ({ person: person_id })}
        />
      </article>
      <PeopleDrawer search={defined({ person })} />
    </KeptBeside>
  )
}

function NobodyFound({ search }: { search: PeopleSearch }) {
  const { t } = useTranslation()
  return (
    <div className="nobody">
      <p>{search.search === undefined ? t('people.none') : t('people.none_searched', { search: search.search })}</p>
      <p className="soft">{t('people.none_try')}</p>
      <p>
        <Link to="/people" search={{}}>
          {t('people.clear')}
        </Link>
      </p>
    </div>
  )
}

function NobodyYet() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const mayImport = useMay('imports:manage')
  return (
    <div className="nobody">
      <p>{t(mayImport ? 'people.nobody_yet' : 'empty.other')}</p>
      {mayImport && (
        <Button type="primary" onClick={() => void navigate({ to: '/import' })}>
          {t('empty.button')}
        </Button>
      )}
    </div>
  )
}
