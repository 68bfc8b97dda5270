import type { Upload } from '../../api/import-queries.ts'

/** How far a file is, as the key of its words. */
export function stateOf({ task, bytes, bytes_received, has_content }: Upload) {
  if (has_content && bytes_received < bytes) return 'task.state_sending'
  if (!task) return 'task.state_mapping'
  switch (task.state) {
    case 'waiting':
      return 'task.state_waiting'
    case 'running':
      return 'task.state_running'
    case 'refused':
      return 'task.state_refused'
    case 'failed':
      return 'task.state_failed'
    case 'cancelled':
      return 'task.state_cancelled'
    case 'done':
      return task.kind === 'dry_run' ? 'task.state_tried' : 'task.state_done'
  }
}
