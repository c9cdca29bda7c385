// What every command shares: settings from the environment and .env, one plain sentence for a user's mistake, no stack trace.
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { CommanderError } from 'commander'
import type { Variables } from '../config.ts'
import { AppError } from '../errors.ts'

/** Runs a command to its end; its errors are printed and set the exit code. */
export async function runCommand(main: (variables: Variables) => Promise<void>): Promise<void> {
  try {
    await main(readVariables())
  } catch (error) {
    process.exitCode = report(error)
  }
}

/** The environment over what .env says. */
export function readVariables(): Variables {
  return { ...readDotEnv(), ...process.env }
}

function readDotEnv(): Variables {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode // commander has said it already
  if (error instanceof AppError) {
    process.stderr.write(`${error.message}\n`)
    return 1
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}
