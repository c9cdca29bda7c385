// Releases to deploy from and to: this one, one that comes after it, and the one before the newest migration.
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Scope } from '../support/scope.ts'

/** The folder of this release. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

const PARTS = ['src', 'schemas', 'migrations', 'package.json']
const runProgram = promisify(execFile)

// What a next release may add while this one still runs: a column with a default, one that may be null, a table, an index.
const EXPANSION = `-- Purpose: what an expanding migration does, for a deploy under load.
-- Lock: moments; a constant default rewrites nothing.
-- Undo: drop what is named here.
alter table dispatches add column next_note text;
alter table jobs add column next_rank integer not null default 0;
create table next_things (id uuid primary key, made_at timestamptz not null default now());
create index next_things_by_time on next_things (made_at);
`

/** A folder with this release and one more migration that this one does not know; gone when `scope` ends. */
export function makeNextRelease(scope: Scope): string {
  const directory = makeDirectory(scope)
  for (const part of PARTS) cpSync(join(CHECKOUT, part), join(directory, part), { recursive: true })
  writeFileSync(join(directory, 'migrations', '9999_next_release.sql'), EXPANSION)
  return directory
}

/** Applies what a release brings, with its own command. Rejects with what it said where it fails. */
export async function migrateBy(release: string, databaseUrl: string): Promise<void> {
  await runProgram(process.execPath, [join(release, 'src/commands/migrate.ts')], {
    cwd: release,
    env: { DATABASE_URL: databaseUrl },
  })
}

/** Why there is no release before the newest migration at hand; undefined where there is one. */
export function whyNoPreviousRelease(): string | undefined {
  const found = findPreviousRelease()
  return 'reason' in found ? found.reason : undefined
}

/** A folder with the release before the newest migration; gone when `scope` ends. Throws where there is none. */
export function makePreviousRelease(scope: Scope): string {
  const found = findPreviousRelease()
  if ('reason' in found) throw new Error(found.reason)
  const directory = makeDirectory(scope)
  const archive = join(directory, 'release.tar')
  git(['archive', '--output', archive, found.commit, ...PARTS])
  const { status, stderr } = spawnSync('tar', ['-xf', archive, '-C', directory], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`tar: ${stderr}`)
  return directory
}

function findPreviousRelease(): { readonly commit: string } | { readonly reason: string } {
  const migrations = readdirSync(join(CHECKOUT, 'migrations')).toSorted()
  const newest = migrations.at(-1)
  if (newest === undefined || migrations.length < 2) return { reason: 'there is one migration, and nothing before it' }
  if (!existsSync(join(CHECKOUT, '.git'))) return { reason: 'there is no history here' }
  const added = git(['log', '--diff-filter=A', '--format=%H', '-1', '--', `migrations/${newest}`])
  if (added === '') return { reason: `${newest} is not committed` }
  const commit = git(['rev-parse', '--quiet', '--verify', `${added}^`])
  if (commit === '') return { reason: `the history here ends with ${newest} (a shallow clone)` }
  return { commit }
}

/** What git says; empty where it has nothing to say, or cannot be run. */
function git(args: readonly string[]): string {
  const { stdout } = spawnSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' })
  return (stdout ?? '').trim()
}

function makeDirectory(scope: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'receiver-release-'))
  scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
  symlinkSync(join(CHECKOUT, 'node_modules'), join(directory, 'node_modules'), 'junction')
  return directory
}
