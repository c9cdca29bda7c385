import t from 'tap'
import { createLogger, createSilentLogger } from '../src/logger.ts'

function capture(level = 'info') {
  const lines: string[] = []
  const logger = createLogger({ level, isPretty: false, destination: { write: (line) => lines.push(line) } })
  return { logger, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') }
}

void t.test('createLogger', async (t) => {
  await t.test('writes one JSON line per event, with its level by name and an ISO time', async (t) => {
    const { logger, lines, last } = capture()

    logger.info({ event: 'dispatch.received', dispatchId: 'd', durationMs: 1.5 }, 'line one\nline two')

    t.equal(lines.length, 1)
    t.match(last(), { level: 'info', event: 'dispatch.received', dispatchId: 'd', msg: 'line one\nline two' })
    t.match(last()['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    t.same(Object.keys(last()).sort(), ['dispatchId', 'durationMs', 'event', 'level', 'msg', 'time'])
  })

  await t.test('writes nothing below its level', async (t) => {
    const { logger, lines } = capture('warn')

    logger.info('no')
    logger.warn('yes')

    t.equal(lines.length, 1)
  })

  await t.test('cuts what could be a secret, also one level down', async (t) => {
    const { logger, lines } = capture()
    const secret = 'not-to-be-read'

    for (const name of ['apiKey', 'token', 'secret', 'password', 'authorization']) {
      logger.info({ [name]: secret, inner: { [name]: secret } })
    }
    logger.info({ headers: { 'x-api-key': secret }, body: secret, req: { headers: { authorization: secret } } })

    t.notMatch(lines.join(''), new RegExp(secret))
    t.match(lines.join(''), /\[redacted\]/)
  })

  await t.test('tells an error with its cause, and nothing of the row a database error describes', async (t) => {
    const { logger, lines, last } = capture()
    const cause = Object.assign(new Error('value too long'), {
      code: '22001',
      detail: 'Failing row contains (Ana Rojas).',
      where: "unnamed portal parameter $8 = 'Ana Rojas'",
    })

    logger.error({ err: cause }, 'one')
    logger.error({ err: new Error('the database refused a statement', { cause }) }, 'two')

    t.notMatch(lines.join(''), /Ana Rojas/)
    t.match(last(), { err: { message: /refused a statement/, stack: /value too long/ } })
    t.match(JSON.parse(lines[0] ?? ''), { err: { code: '22001', message: 'value too long' } })
  })
})

void t.test('createSilentLogger', async (t) => {
  await t.test('says nothing', async (t) => {
    t.equal(createSilentLogger().isLevelEnabled('fatal'), false)
  })
})
