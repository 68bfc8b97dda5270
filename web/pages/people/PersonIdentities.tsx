import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Person } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { useMay } from '../../ui/session.ts'
import { useSplit } from './decisions.ts'

/** Relations: on which channel, to whom of the staff, since when, until when. */
export function Relations({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  return (
    <section>
      <h2>{t('person.relations')}</h2>
      {person.connections.length === 0 ? (
        <p className="soft">{t('person.relations_none')}</p>
      ) : (
        <dl className="identities">
          {person.connections.map((connection) => (
            <div
              key={`${connection.channel} ${connection.source} ${connection.staff} ${connection.group_id} ${connection.begun_at}`}
            >
              <dt>
                {channelName(t, connection.channel)} {connection.staff !== null && <strong>{connection.staff}</strong>}{' '}
                {connection.group_id !== null && <span>{t('person.of_group', { group: connection.group_id })}</span>}{' '}
                <span className="faint">{connection.source}</span>
              </dt>
              <dd>
                {connection.ended_at === null
                  ? t('person.live', { at: day(connection.begun_at) })
                  : t('person.ended_span', { from: day(connection.begun_at), to: day(connection.ended_at) })}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}

/** A channel by the field's own word where there is one, else as the source names it. */
export function channelName(t: TFunction, channel: string): string {
  if (channel === 'shop_account') return t('person.channel_shop_account')
  return channel === 'wecom' ? t('person.channel_wecom') : channel
}

const KINDS = ['own_id', 'unionid', 'external_userid', 'openid', 'phone', 'email'] as const

export function identityKind(t: TFunction, kind: string): string {
  const known = KINDS.find((name) => name === kind)
  return known ? t(`identity.${known}`) : kind
}

type Identity = Person['identities'][number]

/** By what they are known, who says so and since when; each can be taken out, and that taken back. */
export function PersonIdentities({ person }: { person: Person }) {
  const { t } = useTranslation()
  const [leaving, setLeaving] = useState<Identity>()
  const maySplit = useMay('people:merge')
  const canSplit = maySplit && person.identities.length > 1
  return (
    <section>
      <h2>
        {t('person.known_by')} <span className="aside">{t('person.known_by_aside')}</span>
      </h2>
      {person.identities.length === 0 ? (
        <p className="soft">{t('person.identities_none')}</p>
      ) : (
        <ul className="known-by">
          {person.identities.map((identity) => (
            <li key={identity.identity_id}>
              <div>
                <span className="soft">{identityKind(t, identity.kind)}</span>{' '}
                <span className="faint">{identity.namespace}</span>
                <p className="id">{identity.value}</p>
                <SaidBy identity={identity} />
              </div>
              {canSplit && (
                <Button size="small" type="text" onClick={() => setLeaving(identity)}>
                  {t('split.button')}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      {leaving && <SplitDialog identity={leaving} person={person} onClose={() => setLeaving(undefined)} />}
    </section>
  )
}

/** The sources that claim it, each with the day since when, or when we first met it where none does. */
function SaidBy({ identity }: { identity: Identity }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  const claims = identity.claims.filter(
    (claim, place) => identity.claims.findIndex((other) => other.source === claim.source) === place,
  )
  if (claims.length === 0) return <p className="note">{t('person.first_met', { at: day(identity.recorded_at) })}</p>
  return (
    <p className="note">
      {claims
        .map((claim) =>
          claim.kind === 'merge'
            ? t('person.said_by_hand', { by: claim.claimed_by ?? '', at: day(claim.claimed_at) })
            : t('person.said_by', { source: claim.source, at: day(claim.claimed_at) }),
        )
        .join(t('person.said_join'))}
    </p>
  )
}

function SplitDialog({ identity, person, onClose }: { identity: Identity; person: Person; onClose: () => void }) {
  const { t } = useTranslation()
  const split = useSplit(onClose)
  const value = `${identityKind(t, identity.kind)} ${identity.value}`
  return (
    <DecideDialog
      title={t('split.title', { value })}
      words={[t('split.words', { value, name: person.name ?? person.key }), t('split.facts'), t('decision.undo')]}
      okText={t('split.ok')}
      decision={split}
      onOk={() => split.mutate(identity.identity_id)}
      onClose={onClose}
    />
  )
}
