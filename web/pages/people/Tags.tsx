import './tags.css'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Tag, type TagList, tagsQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { useMay } from '../../ui/session.ts'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleTabs } from './PeopleTabs.tsx'
import { GroupDialog, TagDialog } from './TagDialogs.tsx'
import { useDeleteGroup, useRemoveTag, useUnarchive } from './tag-changes.ts'

/** Groups and tags: what there is, how many people have each, and what may be given. */
export function Tags() {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('people.title')}>
      {(brand) => (
        <article className="people-page">
          <PageHeader brand={brand} title={t('people.title')} />
          <PeopleTabs />
          <TagsBody />
        </article>
      )}
    </WithBrand>
  )
}

type Group = Pick<TagList['groups'][number], 'group_id' | 'name'>
type Opened =
  | { readonly what: 'tag'; readonly tag: Tag | undefined }
  | { readonly what: 'group'; readonly group: Group | undefined }
  | { readonly what: 'remove'; readonly tag: Tag }

function TagsBody() {
  const { t } = useTranslation()
  const query = useQuery(tagsQuery)
  return (
    <Loaded query={query} problem={t('problem.tags')} lines={[42, 60, 54, 48]} waiting={t('tags.loading')}>
      {(list) => <Groups list={list} />}
    </Loaded>
  )
}

function Groups({ list: { tags, groups } }: { list: TagList }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const mayManage = useMay('tags:manage')
  const [opened, setOpened] = useState<Opened>()
  const close = () => setOpened(undefined)
  const live = tags.filter(({ archived_at }) => archived_at === null)
  const archived = tags.filter(({ archived_at }) => archived_at !== null)
  const ungrouped = live.filter(({ group_id }) => group_id === null)
  const actions = mayManage ? setOpened : undefined
  return (
    <>
      <p className="soft">{t('tags.lead')}</p>
      {mayManage && (
        <p className="tags-actions">
          <Button type="primary" onClick={() => setOpened({ what: 'tag', tag: undefined })}>
            {t('tags.new')}
          </Button>
          <Button onClick={() => setOpened({ what: 'group', group: undefined })}>{t('tags.new_group')}</Button>
        </p>
      )}
      {tags.length === 0 && groups.length === 0 && <p className="nobody">{t('tags.empty')}</p>}
      {groups.map((group, place) => (
        <section key={group.group_id} className="tag-group" aria-labelledby={`tag-group-${group.group_id}`}>
          <h2 id={`tag-group-${group.group_id}`}>
            {group.name}
            {actions && <GroupActions group={group} onOpen={actions} />}
          </h2>
          <TagTable
            label={group.name}
            tags={live.filter(({ group_id }) => group_id === group.group_id)}
            onOpen={actions}
            isFirst={place === 0}
          />
        </section>
      ))}
      {ungrouped.length > 0 && (
        <section className="tag-group" aria-labelledby="tag-group-none">
          <h2 id="tag-group-none">{t('tags.ungrouped')}</h2>
          <TagTable label={t('tags.ungrouped')} tags={ungrouped} onOpen={actions} isFirst={groups.length === 0} />
        </section>
      )}
      {archived.length > 0 && (
        <details className="tag-group">
          <summary>{t('tags.archive', { tags: count(archived.length) })}</summary>
          <TagTable label={t('tags.archive', { tags: count(archived.length) })} tags={archived} onOpen={actions} />
        </details>
      )}
      {opened?.what === 'tag' && <TagDialog tag={opened.tag} groups={groups} onClose={close} />}
      {opened?.what === 'group' && <GroupDialog group={opened.group} onClose={close} />}
      {opened?.what === 'remove' && <RemoveDialog tag={opened.tag} onClose={close} />}
    </>
  )
}

function GroupActions({ group, onOpen }: { group: TagList['groups'][number]; onOpen: (opened: Opened) => void }) {
  const { t } = useTranslation()
  const remove = useDeleteGroup()
  return (
    <span className="aside">
      <Button
        size="small"
        type="text"
        aria-label={t('tags.rename_which', { group: group.name })}
        onClick={() => onOpen({ what: 'group', group })}
      >
        {t('tags.rename_group')}
      </Button>
      {group.tags === 0 && (
        <Button
          size="small"
          type="text"
          aria-label={t('tags.delete_group_which', { group: group.name })}
          loading={remove.isPending}
          onClick={() => remove.mutate(group)}
        >
          {t('tags.delete_group')}
        </Button>
      )}
    </span>
  )
}

function TagTable({
  label,
  tags,
  onOpen,
  isFirst = false,
}: {
  label: string
  tags: readonly Tag[]
  onOpen: ((opened: Opened) => void) | undefined
  /** Below it the columns are the same, and need no heading to be seen. */
  isFirst?: boolean
}) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const unarchive = useUnarchive()
  if (tags.length === 0) return <p className="soft">{t('tags.group_empty')}</p>
  return (
    <table className="plain tags-table tag-list" aria-label={label}>
      <colgroup>
        <col />
        <col className="tag-people" />
        {onOpen && <col className="tag-actions" />}
      </colgroup>
      <thead className={isFirst ? undefined : 'visually-hidden'}>
        <tr>
          <th scope="col">{t('tags.tag')}</th>
          <th scope="col" className="number">
            {t('tags.people')}
          </th>
          {onOpen && (
            <th scope="col" className="number">
              <span className="visually-hidden">{t('tags.change')}</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {tags.map((tag) => (
          <tr key={tag.tag_id}>
            <td>
              {tag.name}
              <TagNotes tag={tag} />
            </td>
            <td className="number">
              <Link to="/people" search={{ tag: tag.tag_id }} className="figure">
                {count(tag.people)}
              </Link>
            </td>
            {onOpen && (
              <td className="number">
                {tag.archived_at === null ? (
                  <>
                    <Button
                      size="small"
                      type="text"
                      aria-label={t('tags.change_which', { tag: tag.name })}
                      onClick={() => onOpen({ what: 'tag', tag })}
                    >
                      {t('tags.change')}
                    </Button>
                    <Button
                      size="small"
                      type="text"
                      aria-label={t('tags.remove_which', { tag: tag.name })}
                      onClick={() => onOpen({ what: 'remove', tag })}
                    >
                      {t('tags.remove')}
                    </Button>
                  </>
                ) : (
                  <Button
                    size="small"
                    type="text"
                    aria-label={t('tags.unarchive_which', { tag: tag.name })}
                    loading={unarchive.isPending}
                    onClick={() => unarchive.mutate(tag)}
                  >
                    {t('tags.unarchive')}
                  </Button>
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function TagNotes({ tag }: { tag: Tag }) {
  const { t } = useTranslation()
  const notes = [tag.description, fadesText(t, tag)]
  return (
    <>
      {notes.map(
        (note) =>
          note && (
            <span key={note} className="tag-note">
              {note}
            </span>
          ),
      )}
      {tag.rule_segment_id !== null && (
        <Link
          to="/people/segments/$segment_id"
          params={{ segment_id: tag.rule_segment_id }}
          search={{}}
          className="tag-note"
        >
          {t('tags.rule', { segment: tag.rule_segment ?? '' })}
        </Link>
      )}
    </>
  )
}

function fadesText(t: TFunction, tag: Tag): string | undefined {
  if (tag.life_days !== null) return t('tags.life', { days: tag.life_days, count: tag.life_days })
  if (tag.half_life_days !== null) return t('tags.half_life', { days: tag.half_life_days, count: tag.half_life_days })
  return undefined
}

function RemoveDialog({ tag, onClose }: { tag: Tag; onClose: () => void }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const remove = useRemoveTag(onClose)
  return (
    <DecideDialog
      title={t('tags.remove_title', { tag: tag.name })}
      words={[t('tags.remove_used', { people: count(tag.people), count: tag.people })]}
      okText={t('tags.remove_ok')}
      decision={remove}
      onOk={() => remove.mutate(tag)}
      onClose={onClose}
    />
  )
}
