/** For requests under way to finish, and again for the database to close. */
const FINISH_MS_MAX = 10_000
/** A terminal and the process above may both pass on one Ctrl-C; what comes this soon is the same one. */
const SAME_SIGNAL_MS = 500

export interface Stopping {
  /** From now on to be closed at the end, before everything that was opened earlier; each gets 10 s. */
  onStop(close: () => Promise<unknown>): void
  /** Closes and ends the process. */
  stop(exitCode: number): Promise<void>
  readonly isStopping: boolean
}

/** The orderly end of a process: at the first SIGINT or SIGTERM close and exit 0, at the second exit at once. */
export function stopOnSignals(): Stopping {
  const closers: (() => Promise<unknown>)[] = []
  let since: number | undefined

  async function stop(exitCode: number): Promise<void> {
    if (since !== undefined) return
    since = performance.now()
    for (const close of closers.reverse()) {
      await atMost(FINISH_MS_MAX, close()).catch((error: Error) => {
        console.error(`While stopping: ${error.message}`)
      })
    }
    process.exit(exitCode)
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (since === undefined) void stop(0)
      else if (performance.now() - since > SAME_SIGNAL_MS) process.exit(1)
    })
  }
  return {
    onStop: (close) => closers.push(close),
    stop,
    get isStopping() {
      return since !== undefined
    },
  }
}

async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  const { promise: limit, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
