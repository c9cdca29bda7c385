import { chmodSync, existsSync, globSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { findBinaries } from '../../src/embedded/find-binaries.ts'
import { prepareBinaries } from '../../src/embedded/prepare-binaries.ts'
import { createDirectory, linkPackage, query, startServer } from './embedded-fixture.ts'

const isRoot = process.getuid?.() === 0

t.test('prepareBinaries', async (t) => {
  t.test('makes the links that npm left out under --ignore-scripts', async (t) => {
    const packageDirectory = linkPackage(createDirectory(t))

    const native = prepare(t, packageDirectory)

    t.equal(native, join(packageDirectory, 'native'))
    t.strictSame(linksOf(native), linksNamedByThePackage())
  })

  t.test('works with programs whose links it made', async (t) => {
    const packageDirectory = linkPackage(createDirectory(t))
    const directory = join(createDirectory(t), 'postgres')

    const { url } = await startServer(t, { directory, packageDirectory, isThrowaway: true })

    t.strictSame(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  t.test('copies programs whose folder it may not change', { skip: isRoot && 'root may change all' }, async (t) => {
    const packageDirectory = linkPackage(createDirectory(t))
    const lib = join(packageDirectory, 'native', 'lib')
    chmodSync(lib, 0o555)
    t.teardown(() => chmodSync(lib, 0o755))

    const native = prepare(t, packageDirectory)

    t.not(native, join(packageDirectory, 'native'))
    t.ok(existsSync(join(native, 'bin')))
    t.strictSame(linksOf(native), linksNamedByThePackage())
  })
})

function prepare(t: Test, packageDirectory: string): string {
  const home = { path: createDirectory(t), account: undefined }
  return prepareBinaries({ binaries: findBinaries(packageDirectory), home, systemDirectories: [] })
}

function linksOf(native: string): readonly string[] {
  const files = globSync('lib/*', { cwd: native })
  return files.filter((name) => lstatSync(join(native, name)).isSymbolicLink()).toSorted()
}

/** As the package lists them: whether npm made them in the installed one depends on how it was installed. */
function linksNamedByThePackage(): readonly string[] {
  const list = readFileSync(join(findBinaries().native, 'pg-symlinks.json'), 'utf8')
  const links: { target: string }[] = JSON.parse(list)
  return links.map((link) => link.target.replace(/^native\//, '')).toSorted()
}
