import { useSyncExternalStore } from 'react'
import { queryClient } from '../query-client.ts'
import { api } from './client.ts'
import { answered, isProblem } from './errors.ts'
import { type Upload, uploadQuery, uploadsQuery } from './import-queries.ts'

/*
 * Files on their way to the server. They go on while other pages of the console are looked at, so they live here and not
 * in a page; when the tab closes they are cut off.
 */

/** Less than the server takes at once, so that a slow line has its answer within the time limit of a request. */
const PART_BYTES = 2 * 1024 * 1024
const TRIES_MAX = 4
const WAIT_MS = 1000

export interface Sending {
  readonly file: File
  readonly sent: number
  /** Why it stopped; undefined: it goes on. */
  readonly problem: unknown
}

const sendings = new Map<string, Sending>()
const listeners = new Set<() => void>()

function set(uploadId: string, sending: Sending | undefined): void {
  if (sending) sendings.set(uploadId, sending)
  else sendings.delete(uploadId)
  const isAny = [...sendings.values()].some(({ problem }) => problem === undefined)
  if (isAny) window.addEventListener('beforeunload', keepOpen)
  else window.removeEventListener('beforeunload', keepOpen)
  for (const listener of listeners) listener()
}

/** The browser asks whether the tab may go. */
function keepOpen(event: BeforeUnloadEvent): void {
  event.preventDefault()
}

export function useSending(uploadId: string): Sending | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => sendings.get(uploadId),
  )
}

/** Announces a file and begins to send it. @throws Problem when the server will not have it. */
export async function beginSending(file: File): Promise<Upload> {
  const upload = await answered(
    api.POST('/api/v1/uploads', { body: { file_name: file.name || 'file', bytes: file.size } }),
  )
  set(upload.upload_id, { file, sent: 0, problem: undefined })
  void send(upload.upload_id, 0)
  return upload
}

/** Goes on with a file that stopped, where the server says. */
export async function resumeSending(uploadId: string): Promise<void> {
  const sending = sendings.get(uploadId)
  if (!sending) return
  set(uploadId, { ...sending, problem: undefined })
  await send(uploadId, undefined)
}

export function forgetSending(uploadId: string): void {
  set(uploadId, undefined)
}

async function send(uploadId: string, begin: number | undefined): Promise<void> {
  let from = begin
  let tries = 0
  for (;;) {
    const sending = sendings.get(uploadId)
    if (!sending) return
    const { file } = sending
    try {
      from ??= await receivedBy(uploadId)
      set(uploadId, { file, sent: from, problem: undefined })
      if (from >= file.size) break
      from = await sendPart(uploadId, from, file.slice(from, from + PART_BYTES))
      tries = 0
    } catch (problem) {
      tries += 1
      const mayPass = isProblem(problem) && (problem.status === 0 || problem.code === 'wrong_place')
      if (!mayPass || tries >= TRIES_MAX) {
        set(uploadId, { ...sending, problem })
        return
      }
      // The answer may have been lost, and not the part.
      from = undefined
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS * tries))
    }
  }
  // The page may have asked before the last part was there: its answer would say that something is missing.
  const { queryKey } = uploadQuery(uploadId)
  await queryClient.cancelQueries({ queryKey })
  set(uploadId, undefined)
  await queryClient.invalidateQueries({ queryKey })
  await queryClient.invalidateQueries({ queryKey: uploadsQuery.queryKey })
}

async function receivedBy(uploadId: string): Promise<number> {
  const { bytes_received: received } = await answered(
    api.GET('/api/v1/uploads/{upload_id}', { params: { path: { upload_id: uploadId } } }),
  )
  return received
}

async function sendPart(uploadId: string, from: number, part: Blob): Promise<number> {
  const { bytes_received: received } = await answered(
    api.PUT('/api/v1/uploads/{upload_id}/content', {
      params: { path: { upload_id: uploadId }, query: { from } },
      headers: { 'content-type': 'application/octet-stream' },
      // The document describes JSON; a part of a file is sent as it is.
      bodySerializer: () => part,
      body: part as never,
    }),
  )
  return received
}
