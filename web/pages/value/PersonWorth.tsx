import './value.css'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { personWorthQuery, type PersonWorth as Worth } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { useMay } from '../../ui/session.ts'
import { NoMarginRate } from './NoMarginRate.tsx'
import { PersonLink } from './PersonLink.tsx'
import { ReferralTree } from './ReferralTree.tsx'
import { useThen } from './then.ts'

/** What a person is worth, how that is known, and from whom each part of it comes. */
export function PersonWorth({ personId, asOf }: { personId: number; asOf?: string | undefined }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const then = useThen()
  const mayRead = useMay('people:read')
  const query = useQuery({ ...personWorthQuery(personId, asOf), enabled: mayRead })
  if (!mayRead) return null
  const valuedAt = query.data?.valued_at ?? null
  return (
    <section aria-labelledby="worth-title" className="worth">
      <h3 id="worth-title">
        {t('value.person_title')}{' '}
        {valuedAt !== null && (
          <span className="aside">
            {asOf === undefined ? t('value.valued', { at: instant(valuedAt) }) : t('value.then', { past: then(asOf) })}
          </span>
        )}
      </h3>
      <Loaded query={query} problem={t('value.problem')} lines={[52, 44, 48]}>
        {(worth) => (
          <>
            {worth.valued_at === null ? (
              <NotValuedYet worth={worth} isPast={asOf !== undefined} />
            ) : (
              <>
                {worth.basis === 'revenue' && <NoMarginRate />}
                <Figures worth={worth} isPast={asOf !== undefined} />
                <Rhythm worth={worth} />
                <Missing worth={worth} />
                <HowKnown worth={worth} />
              </>
            )}
            {(worth.valued_at !== null || worth.allocated_minor !== 0 || worth.brought.length > 0) && (
              <Brought worth={worth} asOf={asOf} />
            )}
            {worth.chain.length > 0 && <Chain worth={worth} asOf={asOf} />}
          </>
        )}
      </Loaded>
    </section>
  )
}

function NotValuedYet({ worth, isPast }: { worth: Worth; isPast: boolean }) {
  const { t } = useTranslation()
  const { instant, money } = useBrandFormat()
  const { next_valued_at: dueAt, realised_minor: realised } = worth
  if (isPast) return <p className="soft">{t('value.person_none_then')}</p>
  if (dueAt === null) return <p className="soft">{t('value.person_none')}</p>
  // Who bought since the last valuation has paid something; before the first one nobody has anything realised yet.
  if (realised === 0) return <p className="soft">{t('value.person_first', { at: instant(dueAt) })}</p>
  return (
    <p>
      {t(worth.basis === 'revenue' ? 'value.person_waits_revenue' : 'value.person_waits', {
        realised: money(realised),
        at: instant(dueAt),
      })}
    </p>
  )
}

function Figures({ worth, isPast }: { worth: Worth; isPast: boolean }) {
  const { t } = useTranslation()
  const { money, share, day, count } = useBrandFormat()
  const isRevenue = worth.basis === 'revenue'
  const since = worth.came_since
  // What has come in is certain; the interval is that of what is expected, moved by it.
  const low = worth.realised_minor + worth.expected_low_minor
  const high = worth.realised_minor + worth.expected_high_minor
  const rows = [
    {
      name: t(isRevenue ? 'value.own_revenue' : 'value.own'),
      value: money(worth.own_minor),
      note: t('value.interval', { low: money(low), high: money(high) }),
    },
    {
      name: t(isRevenue ? 'value.realised_revenue' : 'value.realised'),
      value: money(worth.realised_minor),
      note: undefined,
    },
    {
      name: t(expectedKey(isRevenue, isPast)),
      value: money(worth.expected_minor),
      note: t('value.between', { low: money(worth.expected_low_minor), high: money(worth.expected_high_minor) }),
    },
    ...(since === null
      ? []
      : [
          {
            name: t(isRevenue ? 'value.came_revenue' : 'value.came'),
            value: money(since.came_minor),
            note: t('value.came_person', {
              days: count(Math.round(since.days)),
              until: day(since.until),
              expected: money(since.expected_minor),
            }),
          },
        ]),
    {
      name: t('value.occasions'),
      value: t('value.occasions_days', { occasions: worth.expected_occasions.toFixed(1) }),
      note: undefined,
      isPlain: true,
    },
    // A model without dropout says 1 of everybody: that is no chance.
    ...(worth.p_alive === null || worth.model === 'nbd' || worth.model === 'historic-rate'
      ? []
      : [{ name: t('value.alive'), value: share(worth.p_alive, 1), note: undefined, isPlain: true }]),
    { name: t('value.allocated'), value: money(worth.allocated_minor), note: t('value.allocated_note') },
    { name: t('value.influenced'), value: money(worth.influenced_minor), note: t('value.influenced_note') },
  ]
  return (
    <dl className="worth-figures">
      {rows.map(({ name, value, note, ...row }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={'isPlain' in row ? undefined : 'value'}>{value}</dd>
          {note !== undefined && <dd className="worth-note">{note}</dd>}
        </div>
      ))}
    </dl>
  )
}

function expectedKey(isRevenue: boolean, isPast: boolean) {
  if (isPast) return isRevenue ? 'value.expected_then_revenue' : 'value.expected_then'
  return isRevenue ? 'value.expected_revenue' : 'value.expected'
}

function Rhythm({ worth: { rhythm } }: { worth: Worth }) {
  const { t } = useTranslation()
  const { count, share } = useBrandFormat()
  if (!rhythm) return null
  return (
    <>
      <h4>{t('value.rhythm_title')}</h4>
      <p>
        <strong>{t(`value.rhythm_${rhythm.state}`)}</strong>
        {t('sentence.comma')}
        {t('value.rhythm_text', {
          days: count(rhythm.days_since),
          share: share(rhythm.share_shorter, 1),
          late: count(rhythm.late_after_days),
        })}
      </p>
    </>
  )
}

/** What is missing for somebody who has not come back, and by which facts. */
function Missing({ worth: { lever } }: { worth: Worth }) {
  const { t } = useTranslation()
  const { count, day } = useBrandFormat()
  if (!lever) return null
  return (
    <>
      <h4 id="lever-title">{t('value.lever_title')}</h4>
      <p>
        <strong>{t(`value.lever_${lever.lever}`)}</strong>
        {t('sentence.comma')}
        {t(`value.lever_${lever.lever}_do`)}
      </p>
      <ul className="worth-models" aria-labelledby="lever-title">
        {lever.signs.map((sign) => (
          <li key={sign.sign} className={sign.lever === lever.lever ? undefined : 'soft'}>
            {t(`value.sign_${sign.sign}`, {
              at: sign.at === null ? '' : day(sign.at),
              occasions: count(sign.count ?? 0),
              of: count(sign.of ?? 0),
            })}
          </li>
        ))}
      </ul>
    </>
  )
}

function HowKnown({ worth }: { worth: Worth }) {
  const { t } = useTranslation()
  const { count, money } = useBrandFormat()
  const { model, reason, spend_model: spendModel, spend_reason: spendReason } = worth
  return (
    <>
      <h4>{t('value.why_model')}</h4>
      <p className="soft">
        {worth.repeats === 0
          ? t('value.history_none', { days: count(worth.watched_days) })
          : t('value.history', {
              repeats: count(worth.repeats),
              days: count(worth.watched_days),
              spend: money(Math.round(worth.mean_spend_minor)),
            })}
      </p>
      <ul className="worth-models">
        {model !== null && (
          <li>
            {t('value.model_text', { model: t(`value.model_${model}`) })}{' '}
            {reason !== null && <span className="soft">{t(`value.reason_${reason}`)}</span>}
          </li>
        )}
        {spendModel !== null && (
          <li>
            {t('value.model_text', { model: t(`value.spend_${spendModel}`) })}{' '}
            {spendReason !== null && <span className="soft">{t(`value.reason_${spendReason}`)}</span>}
          </li>
        )}
      </ul>
    </>
  )
}

/** Where allocated value comes from, line by line, to the last cent. */
function Brought({ worth, asOf }: { worth: Worth; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { amount, currency } = useBrandFormat()
  const { brought, allocated_minor: allocated, influenced_minor: influenced } = worth
  if (brought.length === 0 && influenced === 0) return <p className="soft brought-none">{t('value.brought_none')}</p>
  const unlisted = {
    own: influenced - brought.reduce((sum, below) => sum + below.own_minor, 0),
    allocated: allocated - worth.kept_minor - brought.reduce((sum, below) => sum + below.allocated_minor, 0),
  }
  const isWhole = unlisted.own === 0 && unlisted.allocated === 0
  return (
    <>
      <h4 id="brought-title">{t('value.brought_title')}</h4>
      <div className="worth-scroll">
        <table className="plain" aria-labelledby="brought-title">
          <thead>
            <tr>
              <th scope="col">{t('value.from')}</th>
              <th scope="col" className="worth-level">
                {t('value.levels')}
              </th>
              <th scope="col" className="number">
                {t('value.their_own', { currency })}
              </th>
              <th scope="col" className="number">
                {t('value.allocated_here', { currency })}
              </th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{t('value.self')}</th>
              <td className="worth-level">{t('value.level_own')}</td>
              <td className="number value">{amount(worth.own_minor)}</td>
              <td className="number value">{amount(worth.kept_minor)}</td>
            </tr>
            {brought.map((below) => (
              <tr key={below.person_id}>
                <th scope="row">
                  <PersonLink person={below} asOf={asOf} />
                </th>
                <td className="worth-level">{t('value.level', { levels: below.levels })}</td>
                <td className="number value">{amount(below.own_minor)}</td>
                <td className="number value">{amount(below.allocated_minor)}</td>
              </tr>
            ))}
            {!isWhole && (
              <tr>
                <th scope="row">{t('value.rest')}</th>
                <td />
                <td className="number value">{amount(unlisted.own)}</td>
                <td className="number value">{amount(unlisted.allocated)}</td>
              </tr>
            )}
            <tr className="worth-total">
              <th scope="row">{t('value.total')}</th>
              <td />
              <td />
              <td className="number value">{amount(allocated)}</td>
            </tr>
          </tbody>
        </table>
      </div>
      {!isWhole && <p className="note">{t('value.brought_first')}</p>}
      {brought.length > 0 && <ReferralTree key={worth.person_id} personId={worth.person_id} asOf={asOf} />}
    </>
  )
}

function Chain({ worth: { chain }, asOf }: { worth: Worth; asOf: string | undefined }) {
  const { t } = useTranslation()
  return (
    <>
      <h4>{t('value.chain')}</h4>
      <p>
        {chain.map((above, place) => (
          <span key={above.person_id}>
            {place > 0 && <span aria-hidden="true"> ← </span>}
            <PersonLink person={above} asOf={asOf} />
          </span>
        ))}{' '}
        <span className="soft">{t('value.chain_shares')}</span>
      </p>
    </>
  )
}
