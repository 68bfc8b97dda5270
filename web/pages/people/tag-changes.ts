import { useMutation, useQueryClient } from '@tanstack/react-query'
import { App } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { problemText } from '../../ui/ProblemPanel.tsx'

/** What a form says of a tag. */
export interface TagFields {
  name: string
  group_id: number | null
  description: string | null
  life_days: number | null
  half_life_days: number | null
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

export function useSaveTag(tagId: number | undefined, onDone: () => void) {
  const { t } = useTranslation()
  return useChange(
    (fields: TagFields) =>
      tagId === undefined
        ? answered(api.POST('/api/v1/tags', { body: fields }))
        : answered(api.PATCH('/api/v1/tags/{tag_id}', { params: { path: { tag_id: tagId } }, body: fields })),
    (tag) => t('tags.saved', { tag: tag.name }),
    onDone,
  )
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
