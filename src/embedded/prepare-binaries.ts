// Makes the installed programs ready to run: the links between libraries, which npm cannot pack, and a readable place.

import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { programPath } from './find-binaries.ts'
import type { Binaries } from './find-binaries.ts'
import { canEnter, hasAccess } from './server-account.ts'
import type { ServerHome } from './server-home.ts'
import { systemDirectory } from './server-home.ts'

/** For whom to prepare which programs; `systemDirectories` as for `systemDirectory`. */
export interface BinariesOptions {
  readonly binaries: Binaries
  readonly home: ServerHome
  readonly systemDirectories: readonly string[]
}

/**
 * An installation that the server's account can run, links in place: `binaries` themselves, or a copy of them when that
 * account cannot read them or their links are missing and cannot be made. Returns the directory with `bin` in it.
 *
 * The links are made here and not only by the package's install script, which `npm ci --ignore-scripts` skips.
 */
export function prepareBinaries({ binaries, home, systemDirectories }: BinariesOptions): string {
  if (isReadable(binaries.native, home) && tryLinking(binaries.native)) return binaries.native
  const parent = home.account === undefined ? home.path : systemDirectory(systemDirectories)
  const copy = join(parent, `postgresql-${binaries.version}-${process.platform}-${process.arch}`)
  if (!existsSync(copy)) copyAll(binaries.native, copy)
  return join(copy, 'native')
}

function isReadable(native: string, { account }: ServerHome): boolean {
  if (account === undefined) return true
  const folders = ['bin', 'lib', 'share'].map((name) => join(native, name))
  return (
    folders.every((folder) => canEnter(folder, account)) && hasAccess(programPath(native, 'postgres'), account, 0o5)
  )
}

function tryLinking(native: string): boolean {
  try {
    linkLibraries(native)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // node_modules belongs to another account or to a read-only file system.
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false
    throw error
  }
}

function linkLibraries(native: string): void {
  for (const { source, target } of readLinks(join(native, 'pg-symlinks.json'))) {
    const path = join(dirname(native), target)
    if (existsSync(path)) continue
    try {
      symlinkSync(basename(source), path)
    } catch (error) {
      // Another process made the same link in the meantime.
      if (!existsSync(path)) throw error
    }
  }
}

/** `[{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }, …]`, both in the same folder. */
function readLinks(path: string): readonly { source: string; target: string }[] {
  if (!existsSync(path)) return []
  const links: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (!Array.isArray(links)) return []
  return links.filter(isLink)
}

function isLink(link: unknown): link is { source: string; target: string } {
  if (typeof link !== 'object' || link === null || !('source' in link) || !('target' in link)) return false
  return typeof link.source === 'string' && typeof link.target === 'string'
}

/** The copy appears whole or not at all, also when two processes make it at once. */
function copyAll(native: string, copy: string): void {
  const unfinished = `${copy}.${process.pid}`
  rmSync(unfinished, { recursive: true, force: true })
  // The links name their libraries relative to the parent of `native`, so the copy keeps that folder's name.
  mkdirSync(unfinished)
  chmodSync(unfinished, 0o755)
  copyFolder(native, join(unfinished, 'native'))
  linkLibraries(join(unfinished, 'native'))
  try {
    renameSync(unfinished, copy)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    if (!existsSync(copy)) throw error
  }
}

function copyFolder(source: string, target: string): void {
  mkdirSync(target, { recursive: true })
  chmodSync(target, 0o755)
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)]
    if (entry.isDirectory()) copyFolder(from, to)
    // Static libraries are for compiling extensions, and links are made anew.
    if (!entry.isFile() || entry.name.endsWith('.a')) continue
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
    chmodSync(to, 0o755)
  }
}
