import { type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query'
import { App } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'

export type Decision<Given> = UseMutationResult<unknown, Error, Given>

/** A decision about who is who: whatever was read before it may be untrue, so all of it is asked again. */
function useDecision<Given>(
  decide: (given: Given) => Promise<unknown>,
  said: 'merge.done' | 'split.done' | 'withdraw.done',
  onDone: () => void,
): Decision<Given> {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  return useMutation({
    mutationFn: decide,
    onSuccess: async () => {
      onDone()
      void message.success(t(said))
      await client.invalidateQueries()
    },
  })
}

export function useMerge(onDone: () => void): Decision<number[]> {
  return useDecision(
    (personIds: number[]) => answered(api.POST('/api/v1/merges', { body: { person_ids: personIds } })),
    'merge.done',
    onDone,
  )
}

export function useSplit(onDone: () => void): Decision<number> {
  return useDecision(
    (identityId: number) => answered(api.POST('/api/v1/splits', { body: { identity_id: identityId } })),
    'split.done',
    onDone,
  )
}

export function useWithdraw(onDone: () => void): Decision<number> {
  return useDecision(
    (claimId: number) =>
      answered(api.POST('/api/v1/claims/{claim_id}/withdraw', { params: { path: { claim_id: claimId } } })),
    'withdraw.done',
    onDone,
  )
}
