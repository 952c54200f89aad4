import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { describeFailure } from './failure.ts'

/** The command was called the wrong way; the message is one line. */
export class UsageError extends Error {}

/** What was given after the command's name. */
export interface Given {
  readonly positionals: readonly string[]
  /** The value of a text option, or null. */
  text(name: string): string | null
  /** Whether an option that takes no value was given. */
  flag(name: string): boolean
  /** @throws {UsageError} when the option is missing */
  required(name: string): string
}

/** A command-line program: its help, its options (beside `--help`) and what it does. */
export interface Command {
  readonly help: string
  readonly options?: ParseArgsOptionsConfig
  /** The most words it takes that are no options. */
  readonly words?: number
  run(given: Given): Promise<void>
}

function parse(command: Command, args: string[]): Given & { readonly wantsHelp: boolean } {
  let parsed: { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] }
  try {
    parsed = parseArgs({
      args,
      options: { ...command.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    // The rest of Node's message explains how to escape a dash.
    const [first = 'wrong option'] = (error instanceof Error ? error.message : '').split('. ')
    throw new UsageError(first)
  }
  const { values, positionals } = parsed
  const extra = positionals[command.words ?? 0]
  if (extra !== undefined) throw new UsageError(`Unexpected argument '${extra}'`)
  const text = (name: string): string | null => {
    const value = values[name]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return {
    positionals,
    wantsHelp: values['help'] === true,
    text,
    flag: (name) => values[name] === true,
    required: (name) => {
      const value = text(name)
      if (value === null) throw new UsageError(`Option '--${name}' is missing`)
      return value
    },
  }
}

/** Runs a program and sets the exit code: 0 done, 1 could not, 2 called the wrong way. */
export async function runCommand(command: Command, args = process.argv.slice(2)): Promise<void> {
  try {
    const given = parse(command, args)
    if (given.wantsHelp) {
      console.log(command.help.trim())
      return
    }
    await command.run(given)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}; see --help\n`)
      process.exitCode = 2
      return
    }
    // Not the console: it may be guarded by now.
    process.stderr.write(`${describeFailure(error)}\n`)
    process.exitCode = 1
  }
}
