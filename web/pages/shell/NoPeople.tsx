import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

/** Where an account that sees no people lands: what it is for, in place of pages that would refuse it. */
export function NoPeople() {
  const { t } = useTranslation()
  return (
    <article className="no-people">
      <h1>{t('no_people.title')}</h1>
      <p>{t('no_people.text')}</p>
      <ul>
        <li>
          <Link to="/import">{t('no_people.import')}</Link>
        </li>
        <li>
          <Link to="/settings/keys">{t('no_people.keys')}</Link>
        </li>
        <li>
          <Link to="/settings/webhooks">{t('no_people.webhooks')}</Link>
        </li>
      </ul>
    </article>
  )
}
