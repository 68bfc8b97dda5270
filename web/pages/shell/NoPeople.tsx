import { useTranslation } from 'react-i18next'

/** The page of an account that sees no people: what it is for, in place of pages that would refuse it. */
export function NoPeople() {
  const { t } = useTranslation()
  return (
    <article className="no-people">
      <h1>{t('no_people.title')}</h1>
      <p>{t('no_people.text')}</p>
      <p>{t('no_people.how')}</p>
      <ul>
        <li>
          <code>POST /api/v1/api-keys</code> {t('no_people.keys')}
        </li>
        <li>
          <code>POST /api/v1/webhook-sources</code> {t('no_people.webhooks')}
        </li>
      </ul>
    </article>
  )
}
