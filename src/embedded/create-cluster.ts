// Makes a server's data directory: initdb, then the service's database. It appears whole or not at all.

import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { embeddedUnavailable } from './embedded-unavailable.ts'
import { programPath } from './find-binaries.ts'
import { startProgram } from './run-program.ts'
import type { ServerHome } from './server-home.ts'
import { DATABASE_NAME, USER_NAME } from './server-settings.ts'

/** The data directory inside a home. */
export function dataDirectoryOf(home: ServerHome): string {
  return join(home.path, 'data')
}

/** The file with the superuser's password, mode 0600. */
export function passwordFileOf(home: ServerHome): string {
  return join(home.path, 'password')
}

/** How the dynamic loader ends a program whose libraries it does not find. */
const CANNOT_LOAD = 127

/** A file that is there when the data were made as throwaway. */
export function throwawayMarkOf(home: ServerHome): string {
  return join(home.path, 'throwaway')
}

/** How to make the data directory; `native` as prepared by `prepareBinaries`. */
export interface ClusterOptions {
  readonly native: string
  readonly isThrowaway: boolean
}

/**
 * Makes the data directory of `home` unless it exists; an existing one is given to the home's account where it is not,
 * as after root copied a checkout. The caller holds the home's lock.
 *
 * UTF-8 with PostgreSQL's own locale C.UTF-8, so that the order of text is the same on every system; passwords by SCRAM.
 * Throws `RCV_EMBEDDED_START` with the words of the program that could not make it, `RCV_EMBEDDED_UNAVAILABLE` where the
 * programs do not run at all.
 */
export async function createCluster(home: ServerHome, options: ClusterOptions): Promise<void> {
  const data = dataDirectoryOf(home)
  if (existsSync(data)) return ownAll(data, home)
  const unfinished = `${data}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  own(unfinished, home)
  const passwordCopy = `${passwordFileOf(home)}.initdb`
  rmSync(passwordCopy, { force: true })
  writeFileSync(passwordCopy, ensurePassword(home), { mode: 0o600 })
  own(passwordCopy, home)
  const args = initdbArguments(unfinished, passwordCopy, options)
  await run(programPath(options.native, 'initdb'), args, home).finally(() => rmSync(passwordCopy))
  await createDatabase(unfinished, home, options)
  if (options.isThrowaway) writeFileSync(throwawayMarkOf(home), '')
  else rmSync(throwawayMarkOf(home), { force: true })
  renameSync(unfinished, data)
}

function initdbArguments(directory: string, passwordFile: string, options: ClusterOptions): readonly string[] {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = ['--auth=scram-sha-256', `--username=${USER_NAME}`, `--pwfile=${passwordFile}`]
  const speed = options.isThrowaway ? ['--no-sync', '--no-data-checksums'] : []
  return [`--pgdata=${directory}`, '--no-instructions', ...locale, ...access, ...speed]
}

/** PostgreSQL's single-user mode needs neither a port nor a client: SQL comes by standard input. */
async function createDatabase(directory: string, home: ServerHome, options: ClusterOptions): Promise<void> {
  const settings = ['-c', 'exit_on_error=on', ...(options.isThrowaway ? ['-c', 'fsync=off'] : [])]
  const args = ['--single', '-D', directory, ...settings, 'template1']
  await run(programPath(options.native, 'postgres'), args, home, `create database ${DATABASE_NAME}\n`)
}

async function run(path: string, args: readonly string[], home: ServerHome, input = ''): Promise<void> {
  const program = await startProgram(path, args, { account: home.account, stdio: 'pipe' })
  let output = ''
  const keep = (chunk: Buffer): void => {
    output += chunk.toString()
  }
  program.child.stdout?.on('data', keep)
  program.child.stderr?.on('data', keep)
  // A program that ends without reading its input closes the pipe; its exit code says what matters.
  program.child.stdin?.on('error', () => undefined)
  program.child.stdin?.end(input)
  const code = await program.exited
  if (code === CANNOT_LOAD) throw embeddedUnavailable(`${path}: ${output.trim()}`)
  if (code !== 0) throw new AppError('RCV_EMBEDDED_START', `${path} ended with code ${code}:\n${output.trim()}`)
}

/** Written before the data that needs it; an existing one is kept, for data made by a start that was cut off. */
function ensurePassword(home: ServerHome): string {
  const path = passwordFileOf(home)
  const existing = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (existing !== '') return existing
  const password = randomBytes(24).toString('base64url')
  writeFileSync(path, password, { mode: 0o600, flush: true })
  return password
}

function ownAll(data: string, { account }: ServerHome): void {
  if (account === undefined || statSync(data).uid === account.uid) return
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(data, name), account.uid, account.gid)
  }
  // Last: an interrupted change of hands starts over.
  chownSync(data, account.uid, account.gid)
}

function own(path: string, { account }: ServerHome): void {
  if (account !== undefined) chownSync(path, account.uid, account.gid)
}
