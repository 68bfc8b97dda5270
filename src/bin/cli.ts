import { parseArgs } from 'node:util'
import { ConfigError, readConfig } from '../platform/config.ts'
import { isRefusal, type Refusal } from '../platform/refusal.ts'
import { type Command, EXIT, type Flags, UsageError } from './command.ts'
import { COMMANDS } from './commands.ts'

const COMMON_FLAGS = {
  help: { type: 'boolean', help: 'this text' },
  json: { type: 'boolean', help: 'answer as JSON on standard output' },
} as const satisfies Flags

const BRAND_FLAG = {
  brand: { type: 'string', value: 'KEY', help: 'the brand (default: the current one)' },
} as const satisfies Flags

/** Runs one command; standard output has the answer, standard error everything else. @returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (!name || name === '--help' || name === 'help') {
    process.stdout.write(overview())
    return name ? EXIT.done : EXIT.usage
  }
  const command = COMMANDS.find((other) => other.name === name)
  if (!command) throw new UsageError(`There is no command "${name}". Run ./perennial --help to see all.`)
  const flags: Flags = { ...command.flags, ...(command.usesBrand ? BRAND_FLAG : {}), ...COMMON_FLAGS }
  const { values, positionals } = parse(rest, flags, command)
  if (values.help) {
    process.stdout.write(usage(command, flags))
    return EXIT.done
  }
  if (positionals.length !== command.positionals.length) {
    const wanted = command.positionals.join(' ') || 'no argument'
    throw new UsageError(
      `${command.name} takes ${wanted}, and got ${positionals.length ? positionals.join(' ') : 'nothing'}.`,
    )
  }
  const config = readConfig()
  const answer = await command.run({ config, values, positionals })
  if (isRefusal(answer)) return reportRefusal(answer, values.json === true)
  process.stdout.write(values.json ? `${JSON.stringify(answer.json, null, 2)}\n` : answer.text)
  return answer.exit ?? EXIT.done
}

function parse(args: string[], flags: Flags, command: Command) {
  try {
    const options = Object.fromEntries(
      Object.entries(flags).map(([flag, { type, multiple }]) => [flag, { type, multiple: multiple ?? false }]),
    )
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}. Run ./perennial ${command.name} --help.`)
  }
}

function reportRefusal(refusal: Refusal, json: boolean): number {
  const { code, kind, message, remedy } = refusal
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, kind, message, remedy } }, null, 2)}\n`)
  process.stderr.write(`${message}\n${remedy}\n`)
  return EXIT.failed
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length))
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`)
  return [
    'Usage: ./perennial COMMAND [ARGUMENT…] [--FLAG…]',
    '',
    ...lines,
    '',
    'Each takes --help and --json. Exit codes: 0 done, 1 failed, 2 usage, 3 done with rejected rows.',
    'PERENNIAL_HOME selects the installation (default: the folder data of the checkout).',
    '',
  ].join('\n')
}

function usage(command: Command, flags: Flags): string {
  const signature = ['./perennial', command.name, ...command.positionals, '[--FLAG…]'].join(' ')
  const names = Object.entries(flags).map(
    ([flag, { value, help }]) => [`--${flag}${value ? ` ${value}` : ''}`, help] as const,
  )
  const width = Math.max(...names.map(([flag]) => flag.length))
  return [
    `Usage: ${signature}`,
    '',
    command.summary,
    '',
    ...names.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
    '',
  ].join('\n')
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof ConfigError
  process.stderr.write(`${isUsage ? '' : 'It failed: '}${(error as Error).message}\n`)
  process.exitCode = isUsage ? EXIT.usage : EXIT.failed
}
