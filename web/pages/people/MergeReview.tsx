import './merge-review.css'
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { mergeReviewQuery, type MergeReview as Review } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { useWithdraw } from './decisions.ts'
import { PeopleTabs } from './PeopleTabs.tsx'
import { identityKind } from './PersonIdentities.tsx'
import { SharedValue } from './SharedValue.tsx'

/** Phones and e-mails that link nobody, because they would join what cannot be one person: somebody decides. */
export function MergeReview() {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('people.title')}>
      {(brand) => (
        <article className="people-page">
          <PageHeader brand={brand} title={t('people.title')} />
          <PeopleTabs />
          <ReviewBody />
        </article>
      )}
    </WithBrand>
  )
}

function ReviewBody() {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const query = useQuery(mergeReviewQuery)
  return (
    <Loaded query={query} problem={t('problem.review')} lines={[62, 70, 66]}>
      {({ values, decisions }) => (
        <>
          <section aria-labelledby="review-title">
            <h2 id="review-title">
              {t('review.title')}{' '}
              <span className="aside">{t('review.count', { values: count(values.length), count: values.length })}</span>
            </h2>
            <p className="soft">{t('review.lead')}</p>
            {values.length === 0 ? (
              <p className="nobody">{t('review.none')}</p>
            ) : (
              values.map((value, place) => <SharedValue key={value.identity_id} value={value} isFirst={place === 0} />)
            )}
          </section>
          <Decisions decisions={decisions} />
        </>
      )}
    </Loaded>
  )
}

type Made = Review['decisions'][number]

/** What was decided by hand and is in force; each can be taken back. */
function Decisions({ decisions }: { decisions: readonly Made[] }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const [undone, setUndone] = useState<Made>()
  return (
    <section aria-labelledby="decisions-title" className="decisions">
      <h2 id="decisions-title">{t('decisions.title')}</h2>
      {decisions.length === 0 ? (
        <p className="soft">{t('decisions.none')}</p>
      ) : (
        <table className="plain" aria-label={t('decisions.title')}>
          <thead>
            <tr>
              <th scope="col">{t('person.fact_at')}</th>
              <th scope="col">{t('decisions.what')}</th>
              <th scope="col">{t('decisions.who')}</th>
              <th scope="col">
                <span className="visually-hidden">{t('withdraw.button')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {decisions.map((decision) => (
              <tr key={decision.claim_id}>
                <td>{instant(decision.decided_at)}</td>
                <td>
                  {t(`decisions.${decision.kind}`)}{' '}
                  <span className="id">{decision.identities.map(({ value }) => value).join(' · ')}</span>
                </td>
                <td className="soft">{decision.decided_by}</td>
                <td className="number">
                  <Button size="small" type="text" onClick={() => setUndone(decision)}>
                    {t('withdraw.button')}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {undone && <UndoDialog decision={undone} onClose={() => setUndone(undefined)} />}
    </section>
  )
}

function UndoDialog({ decision, onClose }: { decision: Made; onClose: () => void }) {
  const { t } = useTranslation()
  const withdraw = useWithdraw(onClose)
  const [first] = decision.identities
  const what = decision.identities.map(({ value }) => value).join(' · ')
  return (
    <DecideDialog
      title={t('withdraw.title')}
      words={
        decision.kind === 'merge'
          ? [t('withdraw.merge', { what }), t('withdraw.back')]
          : [t('withdraw.split', { what: first ? `${identityKind(t, first.kind)} ${what}` : what }), t('withdraw.back')]
      }
      okText={t('withdraw.button')}
      decision={withdraw}
      onOk={() => withdraw.mutate(decision.claim_id)}
      onClose={onClose}
    />
  )
}
