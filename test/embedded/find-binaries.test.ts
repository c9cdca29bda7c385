import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findBinaries } from '../../src/embedded/find-binaries.ts'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'
import { createDirectory, linkPackage } from './embedded-fixture.ts'

t.test('findBinaries', async (t) => {
  t.test('finds the package of this machine', async (t) => {
    t.match(findBinaries(), { native: /native$/, version: /^18\./ })
  })

  t.test('says what to do on a platform without a package', async (t) => {
    t.throws(() => findBinaries(undefined, 'linux-s390x'), {
      code: 'RCV_EMBEDDED_UNAVAILABLE',
      message:
        'the embedded PostgreSQL cannot run here: there is no PostgreSQL on npm for linux-s390x; ' +
        'set DATABASE_URL to a PostgreSQL 14 or later instead',
    })
  })

  t.test('says what to do when the package was left out at installation', async (t) => {
    const other = process.platform === 'darwin' ? 'linux-x64' : 'darwin-arm64'

    t.throws(() => findBinaries(undefined, other), {
      code: 'RCV_EMBEDDED_UNAVAILABLE',
      message: /^.*: @embedded-postgres\/\S+ is not installed \(.*--omit=optional\); set DATABASE_URL to .*$/,
    })
  })

  t.test('says where it found no programs', async (t) => {
    const packageDirectory = createDirectory(t)
    const start = startEmbeddedPostgres({ directory: join(packageDirectory, 'postgres'), packageDirectory })

    await t.rejects(start, {
      code: 'RCV_EMBEDDED_UNAVAILABLE',
      message: `the embedded PostgreSQL cannot run here: there is no PostgreSQL in ${packageDirectory}; set DATABASE_URL to a PostgreSQL 14 or later instead`,
    })
  })
  t.test('says that the programs need glibc where their loader is missing', async (t) => {
    const directory = createDirectory(t)
    const packageDirectory = linkPackage(join(directory, 'package'))
    const initdb = join(packageDirectory, 'native', 'bin', 'initdb')
    rmSync(initdb)
    // What the operating system answers for a script without its interpreter, it answers for a program without its loader.
    writeFileSync(initdb, '#!/lib/ld-linux-of-another-system\n', { mode: 0o755 })

    await t.rejects(startEmbeddedPostgres({ directory: join(directory, 'postgres'), packageDirectory }), {
      code: 'RCV_EMBEDDED_UNAVAILABLE',
      message: /initdb needs glibc, .*; set DATABASE_URL to /,
    })
  })
})
