import { useMutation, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { defined } from '../../paths.ts'
import { problemText } from '../../ui/ProblemPanel.tsx'

/** Long enough to see that it was the wrong one. */
const UNDO_SECONDS = 10

interface Edit {
  verb: 'give' | 'take'
  tagId: number
  tag: string
  strength?: number | undefined
}

/** Giving and taking of one person, each told with a way back. */
export function useTagEdits(personId: number) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const undo = useMutation({
    mutationFn: (editId: number) =>
      answered(api.POST('/api/v1/tag-edits/{edit_id}/undo', { params: { path: { edit_id: editId } } })),
    onSuccess: async ({ left_alone }) => {
      void message.success(t(left_alone > 0 ? 'tags.undo_left' : 'tags.undone'))
      await client.invalidateQueries()
    },
    onError: (error) => void message.error(problemText(t, error)),
  })
  return useMutation({
    mutationFn: ({ verb, tagId, strength }: Edit) =>
      verb === 'give'
        ? answered(
            api.POST('/api/v1/people/{person_id}/tags', {
              params: { path: { person_id: personId } },
              body: { tag_id: tagId, ...defined({ strength }) },
            }),
          )
        : answered(
            api.DELETE('/api/v1/people/{person_id}/tags/{tag_id}', {
              params: { path: { person_id: personId, tag_id: tagId } },
            }),
          ),
    onSuccess: async ({ edit_id }, { verb, tag }) => {
      const key = `tag-edit-${edit_id}`
      void message.open({
        key,
        type: 'success',
        duration: UNDO_SECONDS,
        content: (
          <>
            {t(verb === 'give' ? 'tags.given' : 'tags.taken', { tag })}{' '}
            <Button
              type="link"
              size="small"
              onClick={() => {
                message.destroy(key)
                undo.mutate(edit_id)
              }}
            >
              {t('tags.undo')}
            </Button>
          </>
        ),
      })
      await client.invalidateQueries()
    },
    onError: (error) => void message.error(problemText(t, error)),
  })
}
