import { useMutation, useQueryClient } from '@tanstack/react-query'
import { App } from 'antd'
import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import type { Tag } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { problemText } from '../../ui/ProblemPanel.tsx'

/** What a form says of a tag. */
export interface TagFields {
  name: string
  group_id: number | null
  description: string | null
  life_days: number | null
  half_life_days: number | null
  /** The segment that gives and takes it. */
  rule_segment_id: number | null
}

interface Named {
  tag_id: number
  name: string
}

/** A change of the tags there are: said once it is done, and everything that shows tags is asked again. */
function useChange<Given, Done>(
  change: (given: Given) => Promise<Done>,
  say: (done: Done, given: Given) => string,
  onDone?: () => void,
) {
  const client = useQueryClient()
  const { message } = App.useApp()
  const { t } = useTranslation()
  return useMutation({
    mutationFn: change,
    onSuccess: async (done, given) => {
      onDone?.()
      void message.success(say(done, given))
      await client.invalidateQueries()
    },
    // A dialog says why in its own words; what has none says so here.
    onError: (error) => {
      if (!onDone) void message.error(problemText(t, error))
    },
  })
}

export function useSaveTag(tag: Tag | undefined, onDone: () => void) {
  const { t } = useTranslation()
  // What a refusal of the rule left behind: saved once more, the tag is there.
  const made = useRef(tag)
  return useChange(
    async ({ rule_segment_id: segmentId, ...fields }: TagFields) => {
      const before = made.current
      const ruledBy = before?.rule_segment_id ?? null
      // With a rule it has no other name and no life: the rule goes before, and comes after.
      if (before && ruledBy !== null && segmentId === null) await endRule(before.tag_id)
      const saved = before
        ? await answered(
            api.PATCH('/api/v1/tags/{tag_id}', { params: { path: { tag_id: before.tag_id } }, body: fields }),
          )
        : await answered(api.POST('/api/v1/tags', { body: fields }))
      made.current = { people: 0, ...saved }
      const params = { path: { tag_id: saved.tag_id } }
      return segmentId === null || segmentId === ruledBy
        ? saved
        : answered(api.PUT('/api/v1/tags/{tag_id}/rule', { params, body: { segment_id: segmentId } }))
    },
    (tag) => t('tags.saved', { tag: tag.name }),
    onDone,
  )
}

function endRule(tagId: number) {
  return answered(api.DELETE('/api/v1/tags/{tag_id}/rule', { params: { path: { tag_id: tagId } } }))
}

export function useSaveGroup(groupId: number | undefined, onDone: () => void) {
  const { t } = useTranslation()
  return useChange(
    (name: string) =>
      groupId === undefined
        ? answered(api.POST('/api/v1/tag-groups', { body: { name } }))
        : answered(
            api.PATCH('/api/v1/tag-groups/{group_id}', { params: { path: { group_id: groupId } }, body: { name } }),
          ),
    (group) => t('tags.group_saved', { group: group.name }),
    onDone,
  )
}

export function useDeleteGroup() {
  const { t } = useTranslation()
  return useChange(
    ({ group_id }: { group_id: number; name: string }) =>
      answered(api.DELETE('/api/v1/tag-groups/{group_id}', { params: { path: { group_id } } })),
    (_done, { name }) => t('tags.group_deleted', { group: name }),
  )
}

export function useRemoveTag(onDone: () => void) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  return useChange(
    ({ tag_id }: Named) => answered(api.DELETE('/api/v1/tags/{tag_id}', { params: { path: { tag_id } } })),
    ({ is_deleted, people }, { name }) =>
      is_deleted
        ? t('tags.deleted', { tag: name })
        : t('tags.archived', { tag: name, people: count(people), count: people }),
    onDone,
  )
}

export function useUnarchive() {
  const { t } = useTranslation()
  return useChange(
    ({ tag_id }: Named) =>
      answered(api.PATCH('/api/v1/tags/{tag_id}', { params: { path: { tag_id } }, body: { is_archived: false } })),
    ({ name }) => t('tags.unarchived', { tag: name }),
  )
}
