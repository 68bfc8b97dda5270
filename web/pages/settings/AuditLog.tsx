import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { type AuditEntry, auditQuery } from '../../api/settings-queries.ts'
import { settingsZhCN } from '../../i18n/settings-zh-CN.ts'
import { type AuditSearch, defined } from '../../paths.ts'
import { Loaded } from '../../ui/Loaded.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { When } from '../../ui/When.tsx'
import { SettingsPage } from './SettingsPage.tsx'

type Key = keyof typeof settingsZhCN

const OPERATIONS = Object.keys(settingsZhCN).flatMap((key) => (key.startsWith('op.') ? [key.slice(3)] : []))

function isKey(key: string): key is Key {
  return Object.hasOwn(settingsZhCN, key)
}

/** What was done; an operation that this console does not know yet keeps its own name. */
function operationName(t: TFunction, operation: string): string {
  const key = `op.${operation}`
  return isKey(key) ? t(key as 'op.import') : operation
}

function subjectName(t: TFunction, subject: string): string {
  const key = `subject.${subject}`
  return isKey(key) ? t(key as 'subject.import_id') : subject
}

/** A setting is called as its page calls it. */
function fieldName(t: TFunction, operation: string, field: string): string {
  const key = `${operation === 'settings_change' ? 'brand' : 'changed'}.${field}`
  return isKey(key) ? t(key as 'changed.name') : field
}

/** Who did what, the latest first. The filter stands in the address. */
export function AuditLog({ search }: { search: AuditSearch }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const query = useInfiniteQuery(auditQuery(search))
  const filter = (change: AuditSearch) =>
    void navigate({ to: '/settings/audit', search: defined({ ...search, ...change }), resetScroll: false })
  return (
    <SettingsPage>
      <section aria-labelledby="audit-title">
        <h2 id="audit-title">{t('audit.title')}</h2>
        <p className="soft">{t('audit.lead')}</p>
        <div className="audit-filter">
          <label>
            <span>{t('audit.filter')}</span>
            <select
              className="settings-select"
              value={search.operation ?? ''}
              onChange={({ target }) => {
                const { operation: _, ...others } = search
                if (target.value === '') void navigate({ to: '/settings/audit', search: others, resetScroll: false })
                else filter({ operation: target.value })
              }}
            >
              <option value="">{t('audit.any')}</option>
              {OPERATIONS.map((operation) => (
                <option key={operation} value={operation}>
                  {operationName(t, operation)}
                </option>
              ))}
            </select>
          </label>
          {search.actor_id !== undefined && (
            <Link
              to="/settings/audit"
              search={defined({ operation: search.operation })}
              className="audit-everybody"
              resetScroll={false}
            >
              {t('audit.everybody')}
            </Link>
          )}
        </div>
        <Loaded query={query} problem={t('settings.problem')}>
          {({ pages }) => {
            const entries = pages.flatMap((page) => page.entries)
            return entries.length === 0 ? (
              <p className="settings-none">{t('audit.none')}</p>
            ) : (
              <AuditTable entries={entries} search={search} />
            )
          }}
        </Loaded>
        {query.data && query.error && (
          <ProblemPanel
            title={t('settings.problem')}
            error={query.error}
            kept={t('problem.kept')}
            onRetry={() => void query.fetchNextPage()}
            retrying={query.isFetching}
          />
        )}
        {query.hasNextPage && !query.error && (
          <p className="audit-more">
            <Button onClick={() => void query.fetchNextPage()} loading={query.isFetchingNextPage}>
              {t('audit.more')}
            </Button>
          </p>
        )}
      </section>
    </SettingsPage>
  )
}

function AuditTable({ entries, search }: { entries: readonly AuditEntry[]; search: AuditSearch }) {
  const { t } = useTranslation()
  return (
    <table className="plain audit" aria-label={t('audit.title')}>
      <thead>
        <tr>
          <th scope="col">{t('audit.at')}</th>
          <th scope="col">{t('audit.actor')}</th>
          <th scope="col">{t('audit.what')}</th>
          <th scope="col">{t('audit.on')}</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(({ entry_id, done_at, actor, operation, subjects, fields }) => (
          <tr key={entry_id}>
            <td className="audit-at">
              <When at={done_at} />
            </td>
            <td className="audit-actor">
              {actor.id === null || search.actor_id === actor.id ? (
                actor.name
              ) : (
                <Link
                  to="/settings/audit"
                  search={defined({ ...search, actor_id: actor.id })}
                  aria-label={t('audit.only', { name: actor.name })}
                  className="figure"
                >
                  {actor.name}
                </Link>
              )}
              {actor.kind !== 'user' && <span className="user-more">{t(`audit.by_${actor.kind}`)}</span>}
            </td>
            <td>{operationName(t, operation)}</td>
            <td className="audit-on">
              {Object.entries(subjects).map(([name, id]) => (
                <span key={name} className="audit-subject">
                  {subjectName(t, name)} <span className="id">{shortId(id)}</span>
                </span>
              ))}
              {fields.length > 0 && (
                <span className="user-more">
                  {t('audit.fields', {
                    fields: fields.map((field) => fieldName(t, operation, field)).join(t('sentence.list')),
                  })}
                </span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const ID_CHARS_MAX = 12

/** An id to tell one from another by; the whole of a long one fills the line and says no more. */
function shortId(id: unknown): string {
  const text = Array.isArray(id) ? id.join(', ') : String(id)
  return text.length > ID_CHARS_MAX ? `${text.slice(0, ID_CHARS_MAX - 1)}…` : text
}
