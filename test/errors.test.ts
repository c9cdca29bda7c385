import { readFile } from 'node:fs/promises'
import t from 'tap'
import { AppError, ERRORS } from '../src/errors.ts'
import type { ErrorCode } from '../src/errors.ts'

// The keys of a constant of ours.
const CODES = Object.keys(ERRORS) as ErrorCode[]
const DOCUMENT = new URL('../docs/errors.md', import.meta.url)

void t.test('the catalogue of errors', async (t) => {
  await t.test('names each error by a code of one form, once', async (t) => {
    const source = await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8')
    const written = [...source.matchAll(/^ {2}(\w+): (?:refused|later)\(/gm)].map((match) => match[1])

    for (const code of CODES) t.match(code, /^RCV_[A-Z_]+$/)
    t.same(written, CODES, 'a code written twice would stand here twice')
    t.equal(new Set(written).size, CODES.length)
  })

  await t.test('gives each a status of an error, and lets only those be tried again that may go better', async (t) => {
    for (const code of CODES) {
      const { statusCode, isRetryable } = ERRORS[code]
      t.ok(statusCode >= 400 && statusCode < 600, code)
      if (statusCode === 429 || statusCode === 503) t.ok(isRetryable, `${code} may succeed later`)
      if (statusCode >= 400 && statusCode < 500 && statusCode !== 429) t.notOk(isRetryable, `${code} may not`)
    }
    t.ok(Object.isFrozen(ERRORS))
  })

  await t.test('is explained code by code in docs/errors.md, and nothing else is', async (t) => {
    const text = await readFile(DOCUMENT, 'utf8')
    // A heading, or the first cell of a table's row with the status in the second.
    const explained = [...text.matchAll(/^(?:#+|\|) *`?(RCV_[A-Z_]+)`?(?: *\| *(\d{3}))?/gm)]
    const statuses = new Map(explained.map(([, code = '', status]) => [code, status]))

    for (const code of CODES) t.ok(statuses.has(code), `${code} is explained`)
    for (const [code, status] of statuses) {
      const kind = Object.entries(ERRORS).find(([name]) => name === code)?.[1]
      t.ok(kind, `${code} exists`)
      if (status !== undefined) t.equal(status, String(kind?.statusCode), `${code} has the status that is told`)
    }
  })
})

void t.test('AppError', async (t) => {
  await t.test('knows what its code means', async (t) => {
    const cause = new Error('why')
    const details = [{ path: '/id', message: 'is required' }]

    const error = new AppError('RCV_OVERLOADED', '1000 wait', { details, retryAfterSeconds: 3, cause })

    t.ok(error instanceof Error)
    t.match(error, {
      name: 'AppError',
      code: 'RCV_OVERLOADED',
      message: '1000 wait',
      statusCode: 503,
      isRetryable: true,
      retryAfterSeconds: 3,
      details,
      cause,
    })
  })

  await t.test('leaves out what it is not told', async (t) => {
    const error = new AppError('RCV_INTERNAL', 'x')

    t.same([error.details, error.retryAfterSeconds, 'cause' in error], [undefined, undefined, false])
  })
})
