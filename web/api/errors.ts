/** What went wrong, in the words the API gave; the one translator between the wire and the screens. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: string
  /** HTTP status; 0 when no answer came at all. */
  readonly status: number
  /** What to do about it; empty when the API did not say. */
  readonly remedy: string

  constructor(code: string, status: number, message: string, remedy: string) {
    super(message)
    this.code = code
    this.status = status
    this.remedy = remedy
  }
}

interface Answered<Body> {
  data?: Body
  error?: unknown
  response: Response
}

/**
 * The body of an answer.
 * @throws Problem for a refusal, an unreadable answer, or none.
 */
export async function answered<Body>(call: Promise<Answered<Body>>): Promise<Body> {
  let answer: Answered<Body>
  try {
    answer = await call
  } catch (error) {
    // The query library cancels by abort when a screen is left: that is not a problem to show.
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem(error instanceof DOMException ? 'timeout' : 'unreachable', 0, '', '')
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data
  throw problemFrom(answer.error, answer.response.status)
}

/** Read as unknown: a proxy between console and server answers in its own shape. */
function problemFrom(body: unknown, status: number): Problem {
  const source = asRecord(asRecord(body).error)
  return new Problem(text(source.code) || `http_${status}`, status, text(source.message), text(source.remedy))
}

export function isProblem(error: unknown): error is Problem {
  return error instanceof Problem
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
