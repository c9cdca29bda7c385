// A program that owns an embedded server, to be ended in every way a program can end. Its first argument is JSON: the
// options of the start, and how to end once a line arrives on standard input.

import { once } from 'node:events'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'
import type { EmbeddedPostgresOptions } from '../../src/embedded/start-embedded-postgres.ts'

/** `return` ends by having nothing left to do; `none` waits for a signal, and `deaf` ignores those of a terminal. */
export type OwnerEnd = 'return' | 'exit' | 'throw' | 'none' | 'deaf'

/** What the tests tell the program. */
export interface OwnerOrder {
  readonly options: EmbeddedPostgresOptions
  readonly end: OwnerEnd
}

// Written by `startOwner` alone.
const { options, end }: OwnerOrder = JSON.parse(process.argv[2] ?? '')
if (end === 'deaf') process.on('SIGINT', () => undefined)
const { url, port, isOwner } = await startEmbeddedPostgres(options)
process.stdout.write(`${JSON.stringify({ url, port, isOwner })}\n`)
await once(process.stdin, 'data')
if (end === 'throw') throw new Error('as ordered')
if (end === 'exit') process.exit(3)
if (end === 'return') process.stdin.destroy()
