import type { FastifyRequest } from 'fastify'

/** Who did something. */
export interface Actor {
  readonly kind: 'user' | 'api_key' | 'webhook' | 'command_line'
  /** Of the account, key or webhook; null: the command line, whose account the operating system knows. */
  readonly id: string | null
  readonly name: string
}

/** Somebody at the terminal of the server, as commands call them. */
export function atTerminal(name = 'command line'): Actor {
  return { kind: 'command_line', id: null, name }
}

/** One write, or one export of people, for the audit log: ids and names of fields, never a personal value. */
export interface AuditEntry {
  readonly actor: Actor
  /** A verb on a thing, `api_key_create`. */
  readonly operation: string
  /** On what, by id. */
  readonly subjects: Readonly<Record<string, string | number | readonly number[]>>
  /** What was set or changed. */
  readonly fields?: readonly string[]
}

/** Writes an entry where the brand's database was not written: accounts and sessions are the installation's. */
export type Audit = (entry: AuditEntry) => Promise<void>

/** Who sends a request that passed the gate by a session or a key. */
export function actorOf({ user, keyId, keyName }: FastifyRequest): Actor {
  if (keyId !== undefined) return { kind: 'api_key', id: keyId.split(' ').at(-1) ?? keyId, name: keyName ?? '' }
  if (!user) throw new Error('Nobody is known to send this request: its route has neither permission nor scope')
  return { kind: 'user', id: user.userId, name: user.name }
}
