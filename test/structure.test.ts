import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { findViolations } from './support/find-violations.ts'
import type { Sources } from './support/find-violations.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

async function readSources(): Promise<Sources> {
  const sources = new Map<string, string>()
  for (const entry of await readdir(join(ROOT, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const path = join(entry.parentPath, entry.name)
    sources.set(path.slice(ROOT.length).replaceAll('\\', '/'), await readFile(path, 'utf8'))
  }
  return sources
}

/** What is found in one file with this text. */
function found(file: string, text: string): string[] {
  return findViolations(new Map([[file, text]])).map((violation) => violation.what)
}

void t.test('the source', async (t) => {
  const sources = await readSources()

  await t.test('keeps to its directions of import and to its form', async (t) => {
    t.ok(sources.size > 100, 'all of it is read')
    t.ok(sources.has('src/store/migrate.ts'))
    t.same(findViolations(sources), [])
  })

  await t.test('opens nothing and starts nothing when it is imported', async (t) => {
    const before = process.getActiveResourcesInfo().toSorted(byText)

    for (const file of sources.keys()) {
      // Programs run when they are imported: that is what they are for.
      if (file.startsWith('src/commands/') || file === 'src/embedded/keeper.ts') continue
      await import(`../${file}`)
    }

    t.same(process.getActiveResourcesInfo().toSorted(byText), before)
  })
})

void t.test('the rules of structure', async (t) => {
  const planted: readonly (readonly [file: string, text: string])[] = [
    ['src/receive/a.ts', "import { x } from '../deliver/x.ts'"],
    ['src/receive/a.ts', "import type { X } from '../ops/x.ts'"],
    ['src/deliver/a.ts', "import { x } from '../receive/x.ts'"],
    ['src/deliver/a.ts', "import { x } from '../report/x.ts'"],
    ['src/report/a.ts', "import { x } from '../deliver/adapters/x.ts'"],
    ['src/ops/a.ts', "import { x } from '../receive/x.ts'"],
    ['src/doctor/a.ts', "import { x } from '../deliver/x.ts'"],
    ['src/doctor/a.ts', "import { x } from '../deliver/adapters/x.ts'"],
    ['src/doctor/a.ts', "import { x } from '../ops/x.ts'"],
    ['src/doctor/a.ts', "import { sql } from 'kysely'"],
    ['src/receive/a.ts', "import { x } from '../doctor/x.ts'"],
    ['src/ops-app.ts', "import { x } from './doctor/x.ts'"],
    ['src/ops/a.ts', "import { x } from '../commands/x.ts'"],
    ['src/ops/a.ts', "import { x } from '../ops-app.ts'"],
    ['src/store/a.ts', "import { x } from '../receive/x.ts'"],
    ['src/store/a.ts', "import { x } from '../reten/x.ts'"],
    ['src/reten/a.ts', "import { x } from '../store/x.ts'"],
    ['src/dispatch/a.ts', "import { x } from '../store/x.ts'"],
    ['src/dispatch/a.ts', "import { x } from '../logger.ts'"],
    ['src/dispatch/a.ts', "import { readFile } from 'node:fs'"],
    ['src/dispatch/a.ts', "import { Ajv } from 'ajv'"],
    ['src/deliver/adapters/a.ts', "import { x } from '../x.ts'"],
    ['src/deliver/adapters/a.ts', "import { x } from '../../store/x.ts'"],
    ['src/deliver/adapters/a.ts', "import { x } from '../../metrics.ts'"],
    ['src/embedded/a.ts', "import { x } from '../store/x.ts'"],
    ['src/embedded/a.ts', "import pg from 'pg'"],
    ['src/sandbox/a.ts', "import { x } from '../errors.ts'"],
    ['src/sandbox/reten/a.ts', "import { x } from '../../time.ts'"],
    ['src/time.ts', "import { x } from './store/x.ts'"],
    ['src/time.ts', "import { x } from './ops-app.ts'"],
    ['src/public-app.ts', "import { x } from './sandbox/x.ts'"],
    ['src/public-app.ts', "import { x } from './commands/x.ts'"],
    ['src/commands/a.ts', "import { sql } from 'kysely'"],
    ['src/receive/a.ts', "import { Migrator } from 'kysely/migration'"],
    ['src/store/a.ts', "import type { FastifyInstance } from 'fastify'"],
    ['src/store/a.ts', "import helmet from '@fastify/helmet'"],
    ['src/receive/a.ts', "const x = await import('../report/x.ts')"],
    ['src/receive/a.ts', "import '../report/x.ts'"],
    ['src/receive/a.ts', "import {\n  x,\n  y,\n} from '../report/x.ts'"],
    ['src/receive/a.ts', 'import { x } from "../report/x.ts"'],
    ['src/receive/a.ts', "import { x } from './x'"],
    ['src/receive/a.ts', "import { x } from './x.js'"],
    ['src/novelty/a.ts', ''],
    ['src/receive/a.ts', "import { x } from '../novelty/x.ts'"],
    ['src/receive/a.ts', 'export default 1'],
    ['src/receive/a.ts', 'const a = 1\nexport { a as default }'],
    ['src/receive/a.ts', "export { x } from './x.ts'"],
    ['src/receive/a.ts', "export * from './x.ts'"],
    ['src/receive/utils.ts', ''],
    ['src/receive/helper.ts', ''],
    ['src/types.ts', ''],
    ['src/receive/index.ts', ''],
    ['src/receive/acceptDispatch.ts', ''],
    ['src/receive/a.ts', 'const x = process.env.X'],
    ['src/config.ts', 'const { argv } = process.argv'],
    ['src/store/a.ts', 'process.exit(1)'],
    ['src/services.ts', "process.once('SIGTERM', stop)"],
    ['src/receive/a.ts', '\n'.repeat(401)],
  ]
  for (const [file, text] of planted) {
    await t.test(`are broken by ${file}: ${text.slice(0, 60).trim().replaceAll('\n', ' ')}`, async (t) => {
      t.equal(found(file, text).length, 1, found(file, text).join('; '))
    })
  }

  await t.test('are kept by what the design allows', async (t) => {
    const allowed: readonly (readonly [file: string, text: string])[] = [
      [
        'src/receive/a.ts',
        "import { x } from './x.ts'\nimport { y } from '../store/y.ts'\nimport { hash } from 'node:crypto'",
      ],
      ['src/deliver/a.ts', "import { x } from './adapters/x.ts'"],
      [
        'src/deliver/adapters/a.ts',
        "import { x } from '../../http-client.ts'\nimport { y } from '../../dispatch/y.ts'",
      ],
      ['src/report/a.ts', "import { x } from '../reten/x.ts'\nimport type { FastifyInstance } from 'fastify'"],
      ['src/store/a.ts', "import { sql } from 'kysely'\nimport pg from 'pg'\nimport { x } from '../dispatch/x.ts'"],
      ['src/ops-app.ts', "import { x } from './ops/x.ts'\nimport { y } from './store/y.ts'"],
      ['src/ops/a.ts', "import { x } from '../doctor/x.ts'"],
      ['src/commands/a.ts', "import { x } from '../sandbox/x.ts'\nprocess.exitCode = 1"],
      ['src/version.ts', "import manifest from '../package.json' with { type: 'json' }"],
      ['src/receive/a.ts', "// process.env is read elsewhere\n/** import('../report/x.ts') */"],
      ['src/schema-types.ts', `// Generated from schemas\n${'\n'.repeat(900)}`],
    ]

    for (const [file, text] of allowed) t.same(found(file, text), [], `${file}: ${text.slice(0, 80)}`)
  })
})

void t.test('the linter', async (t) => {
  await t.test('catches a promise that nobody waits for, and passes the same file without it', async (t) => {
    const planted = 'export async function work(): Promise<void> {}\nexport function start(): void {\n  work()\n}\n'

    const [caught, clean] = await Promise.all([lint(t, planted), lint(t, planted.replace('  work()', '  void work()'))])

    t.match(caught, { code: 1, output: /no-floating-promises/ })
    t.match(clean, { code: 0 }, clean.output)
  })
})

/** Runs the project's linter with the project's rules over one file that stands outside of it. */
async function lint(t: Test, text: string): Promise<{ code: number; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'planted-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  await writeFile(join(folder, 'planted.ts'), text)
  await writeFile(
    join(folder, 'tsconfig.json'),
    '{"compilerOptions":{"strict":true,"target":"esnext"},"include":["*.ts"]}',
  )
  const program = join(ROOT, 'node_modules/oxlint/dist/cli.js')
  const rules = ['--type-aware', '--deny-warnings', '-c', join(ROOT, '.oxlintrc.json'), 'planted.ts']
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...rules], { cwd: folder, env: {} }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr })
    })
  })
}

function byText(one: string, other: string): number {
  return one < other ? -1 : 1
}
