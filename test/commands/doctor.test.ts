import t from 'tap'
import type { Test } from 'tap'
import { examine } from '../../src/commands/doctor/examine.ts'
import { toLine } from '../../src/commands/doctor/words.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { createTestDatabase } from '../support/database.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { openStage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { runProgram } from './run-program.ts'

async function open(t: Test): Promise<Stage> {
  const { url } = await createTestDatabase(t)
  const stage = await openStage(t, { databaseUrl: url })
  stage.connect('https://receiver.example.com')
  return stage
}

async function findingsOf(
  variables: Readonly<Record<string, string>>,
  options: { readonly connection?: string } = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  await examine({
    variables,
    connection: options.connection,
    publicUrl: undefined,
    onFinding: (finding) => findings.push(finding),
    onProgress: () => {},
  })
  return findings
}

t.test('npm run doctor', async (t) => {
  t.jobs = 2

  t.test('says in one JSON document that nothing failed, and ends with 0', async (t) => {
    const { settings } = await open(t)

    const { code, stdout, stderr } = await runProgram(t, 'doctor', ['--json'], settings)

    const report = JSON.parse(stdout)
    t.equal(code, 0, stdout)
    t.match(report, { ok: true, counts: { failed: 0, unchecked: 0 } })
    t.match(report.findings, [{ check: 'settings', status: 'ok' }])
    t.match(stderr, /^checking the database …\nchecking connection default …\n$/)
    for (const name of ['RETEN_API_KEY', 'YOM_API_KEY', 'DISPATCH_API_KEY', 'WEBHOOK_TOKEN', 'ADMIN_TOKEN']) {
      t.notOk(stdout.includes(settings[name] ?? ''), `${name} is not shown`)
    }
  })

  t.test('names what is wrong line by line, goes on without the database, and ends with 1', async (t) => {
    const { settings } = await open(t)
    const stopped = `postgres://user:hush-hush@${new URL(await unusedOrigin()).host}/receiver`

    const { code, stdout, stderr } = await runProgram(t, 'doctor', [], { ...settings, DATABASE_URL: stopped })

    t.equal(code, 1)
    t.match(stdout, /^FAILED +database: the database at 127\.0\.0\.1:\d+\/receiver cannot be used.* -> .*DATABASE_URL/m)
    t.match(stdout, /^ok +default: Reten key: /m)
    t.match(stdout, /^ok +default: provider: .*\(assumption: /m)
    t.match(stdout, /^\d+ ok, .* 1 failed, \d+ could not be checked$/m)
    t.notMatch(stdout + stderr, /hush-hush|\n +at /)
  })
})

void t.test('examine', async (t) => {
  const { settings } = await open(t)

  await t.test('names every wrong setting at once, and what to do', async (t) => {
    const findings = await findingsOf({ ...settings, PORT: 'eighty', RETEN_BASE_URL: 'https://reten.example/api' })

    t.match(findings, [
      { status: 'failed', found: /^PORT must/, advice: /correct PORT/ },
      { status: 'failed', found: 'RETEN_BASE_URL is given without /api', advice: /correct RETEN_BASE_URL/ },
      { check: 'everything else', status: 'unchecked' },
    ])
  })

  await t.test('looks at the one connection it is asked for, and says where there is none', async (t) => {
    const one = await findingsOf(settings, { connection: 'default' })
    const none = await findingsOf(settings, { connection: 'acme' })

    t.ok(one.some(({ check, connection }) => check === 'Reten key' && connection === 'default'))
    t.match(none.at(-1), { check: 'connections', status: 'failed', found: 'there is none named acme' })
  })

  await t.test('goes on with what the environment says where migrations are missing', async (t) => {
    const { url } = await createTestDatabase(t, { isEmpty: true })

    const findings = await findingsOf({ ...settings, DATABASE_URL: url })

    t.match(
      findings.filter(({ status }) => status === 'failed'),
      [{ check: 'migrations', advice: /npm run migrate/ }],
    )
    t.ok(findings.some(({ check, status }) => check === 'Reten key' && status === 'ok'))
  })

  await t.test('says that an installation without a connection receives nothing', async (t) => {
    const findings = await findingsOf({ DATABASE_URL: settings['DATABASE_URL'] ?? '' })

    t.match(findings.at(-1), { check: 'connections', status: 'failed', advice: /DISPATCH_API_KEY/ })
  })
})

void t.test('toLine', async (t) => {
  await t.test('says what, what was seen, what to do and what that rests on', async (t) => {
    const finding = { status: 'failed', check: 'provider', connection: 'acme', found: 'it is not there' } as const

    t.equal(
      toLine({ ...finding, advice: 'start it', assumption: 'it should be' }),
      'FAILED    acme: provider: it is not there -> start it (assumption: it should be)',
    )
  })
})
