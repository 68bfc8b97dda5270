import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { useMay } from '../../ui/session.ts'
import { type FirstThing, firstThings } from './first.ts'

export function FirstThings({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  return (
    <section aria-labelledby="first-title">
      <h2 id="first-title">{t('first.title')}</h2>
      <ul className="first">
        {firstThings(brief).map((thing) => (
          <li key={thing.kind}>
            <Thing thing={thing} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function Thing({ thing }: { thing: FirstThing }) {
  const { t } = useTranslation()
  const { count, share } = useBrandFormat()
  const mayImport = useMay('imports:manage')
  switch (thing.kind) {
    case 'rejected':
      return (
        <Said
          title={t('first.rejected_title', { rows: count(thing.rows), count: thing.rows })}
          text={t('first.rejected_text')}
        />
      )
    case 'lapsing':
      return (
        <Said
          title={t('first.lapsing_title', { people: count(thing.people), count: thing.people })}
          text={t('first.lapsing_text')}
          thing={thing}
        />
      )
    case 'lapsing30':
      return (
        <Said
          title={t('first.lapsing30_title', { people: count(thing.people), count: thing.people })}
          text={t('first.lapsing30_text')}
          thing={thing}
        />
      )
    case 'unconnected':
      return (
        <Said
          title={t('first.unconnected_title', {
            people: count(thing.people),
            share: share(thing.people, thing.of),
            count: thing.people,
          })}
          text={t('first.unconnected_text')}
          thing={thing}
        />
      )
    case 'unmatched':
      return (
        <Said
          title={t('first.unmatched_title', { refunds: count(thing.refunds), count: thing.refunds })}
          text={t('first.unmatched_text')}
          thing={thing}
        />
      )
    case 'anonymous':
      return (
        <Said
          title={t('first.anonymous_title', { share: share(thing.orders, thing.of) })}
          text={t('first.anonymous_text')}
          thing={thing}
        />
      )
    case 'second':
      return (
        <Said
          title={t('first.second_title', { people: count(thing.people), count: thing.people })}
          text={t('first.second_text')}
          thing={thing}
        />
      )
    case 'demo':
      return (
        <Said title={t('first.demo_title')} text={t('first.demo_text')}>
          {mayImport && (
            <p>
              <Link to="/import">{t('empty.button')}</Link>
            </p>
          )}
        </Said>
      )
    case 'none':
      return <Said title={t('first.none_title')} text={t('first.none_text')} />
  }
}

interface SaidProps {
  title: string
  text: string
  thing?: Extract<FirstThing, { opened: object }>
  children?: ReactNode
}

function Said({ title, text, thing, children }: SaidProps) {
  return (
    <>
      <p className="first-title">
        {thing ? (
          <Figure opened={thing.opened} className="first-link">
            {title}
          </Figure>
        ) : (
          title
        )}
      </p>
      <p className="first-text">{text}</p>
      {children}
    </>
  )
}
