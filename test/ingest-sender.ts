import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FactResult } from '../src/modules/intake/schema.ts'

const REQUEST_MS_MAX = 30_000
const RETRY_MS = 60
/** A sender that gets no answer for so long gives the test up, not the batch. */
const RETRIES_MS_MAX = 120_000

/** One try of one request. */
export interface Attempt {
  /** Every byte has left this process. */
  isSent: boolean
  outcome: 'open' | 'answered' | 'broken'
}

export interface Sent {
  readonly results: readonly FactResult[]
  /** Tries whose answer did not come. */
  readonly broken: number
}

/** Posts facts on one connection, and posts them again when the answer does not come, as the guide tells senders to. */
export interface Sender {
  readonly open: ReadonlySet<Attempt>
  /**
   * @param mayGiveUp asked after a try that broke.
   * @returns undefined when the batch was given up.
   * @throws Error at an answer that a sender has no reason to expect, and when the sender was closed.
   */
  send(facts: readonly unknown[], mayGiveUp?: () => boolean): Promise<Sent | undefined>
  close(): void
}

export function createSender(url: string, key: string): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const open = new Set<Attempt>()
  let isClosed = false

  function post(body: string, attempt: Attempt): Promise<{ status: number; text: string } | undefined> {
    return new Promise((resolve) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const options = { method: 'POST', agent, headers, timeout: REQUEST_MS_MAX }
      const sending = request(new URL('/api/v1/facts', url), options, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', () => resolve(undefined))
        response.on('close', () => resolve(undefined))
      })
      sending.on('finish', () => {
        attempt.isSent = sending.socket?.connecting === false
      })
      sending.on('timeout', () => sending.destroy())
      sending.on('error', () => resolve(undefined))
      sending.end(body)
    })
  }

  return {
    open,
    close: () => {
      isClosed = true
      agent.destroy()
    },
    send: async (facts, mayGiveUp = () => false) => {
      const body = JSON.stringify({ facts })
      const begun = performance.now()
      for (let broken = 0; ; ) {
        const attempt: Attempt = { isSent: false, outcome: 'open' }
        open.add(attempt)
        const answer = await post(body, attempt)
        open.delete(attempt)
        if (answer?.status === 200) {
          attempt.outcome = 'answered'
          return { results: (JSON.parse(answer.text) as { results: FactResult[] }).results, broken }
        }
        attempt.outcome = 'broken'
        if (answer && answer.status < 500 && answer.status !== 429) {
          throw new Error(`${answer.status}: ${answer.text.slice(0, 500)}`)
        }
        if (attempt.isSent) broken += 1
        if (broken > 0 && mayGiveUp()) return undefined
        if (isClosed) throw new Error('The sender was closed')
        if (performance.now() - begun > RETRIES_MS_MAX) throw new Error(`No answer in ${RETRIES_MS_MAX / 1000} s`)
        await sleep(answer?.status === 429 ? 1000 : RETRY_MS)
      }
    },
  }
}
