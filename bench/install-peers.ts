// The libraries this service is measured beside are no dependencies of it: they are installed here, when first needed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DIRECTORY = new URL('./', import.meta.url)

/** Installs the exact versions of bench/package-lock.json unless they are there; answers name → version. */
export function installPeers(print: (line: string) => void): Readonly<Record<string, string>> {
  const wanted = readJson(new URL('package.json', DIRECTORY))['devDependencies'] as Record<string, string> // our own file
  if (Object.entries(wanted).every(([name, version]) => installedVersion(name) === version)) return wanted
  print('installing the libraries to compare with: npm ci --prefix bench')
  // npm is a script with another ending on Windows, which only a shell finds; nothing here comes from outside.
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: fileURLToPath(DIRECTORY),
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`npm ci in bench ended with ${status}`)
  return wanted
}

function installedVersion(name: string): unknown {
  try {
    return readJson(new URL(`node_modules/${name}/package.json`, DIRECTORY))['version']
  } catch {
    return undefined // not installed
  }
}

function readJson(file: URL): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> // npm's own files hold objects
}
