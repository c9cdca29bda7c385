import t from 'tap'
import { describeHttpFault } from '../src/http-fault.ts'

const errorWith = (code: string): Error => Object.assign(new Error('words that nobody reads'), { code })

t.test('describeHttpFault', async (t) => {
  t.test('reads codes that mean one thing whenever they come', async (t) => {
    const meanings: readonly (readonly [libraryCode: string, code: string])[] = [
      ['ECONNREFUSED', 'connection_refused'],
      ['EHOSTUNREACH', 'connection_refused'],
      ['ENETUNREACH', 'connection_refused'],
      ['ENOTFOUND', 'name_not_found'],
      ['EAI_AGAIN', 'name_not_found'],
      ['UND_ERR_CONNECT_TIMEOUT', 'connect_timeout'],
      ['UND_ERR_HEADERS_OVERFLOW', 'response_too_large'],
      ['UND_ERR_INVALID_ARG', 'request_invalid'],
      ['UND_ERR_DESTROYED', 'aborted'],
    ]
    for (const [libraryCode, code] of meanings) {
      t.equal(describeHttpFault(errorWith(libraryCode), false, 'http://a.example').code, code, libraryCode)
    }
  })

  t.test('reads the others by whether the request had begun', async (t) => {
    const https = 'https://a.example'
    const http = 'http://a.example'

    t.equal(describeHttpFault(errorWith('ETIMEDOUT'), false, https).code, 'connect_timeout')
    t.equal(describeHttpFault(errorWith('ETIMEDOUT'), true, https).code, 'timeout')
    t.equal(describeHttpFault(errorWith('ECONNRESET'), false, https).code, 'tls_failed')
    t.equal(describeHttpFault(errorWith('CERT_HAS_EXPIRED'), false, https).code, 'tls_failed')
    t.equal(describeHttpFault(errorWith('ECONNRESET'), false, http).code, 'connection_lost')
    t.equal(describeHttpFault(errorWith('ECONNRESET'), true, http).code, 'connection_lost')
    t.equal(describeHttpFault(new Error('no code'), true, http).code, 'connection_lost')
  })

  t.test('reads the first error of several addresses', async (t) => {
    const error = new AggregateError([errorWith('ECONNREFUSED'), errorWith('ENETUNREACH')])

    t.equal(describeHttpFault(error, false, 'https://a.example').code, 'connection_refused')
    t.equal(describeHttpFault(new AggregateError([]), false, 'http://a.example').code, 'connection_lost')
  })

  t.test('knows that a request the library refused never left', async (t) => {
    t.match(describeHttpFault(errorWith('UND_ERR_INVALID_ARG'), true, 'http://a.example'), { isUnsent: true })
    t.match(describeHttpFault(errorWith('ECONNRESET'), true, 'http://a.example'), { isUnsent: false })
  })

  t.test('says who, what and by which code', async (t) => {
    const { message } = describeHttpFault(errorWith('ECONNREFUSED'), false, 'https://a.example')

    t.equal(message, 'https://a.example refuses the connection (ECONNREFUSED)')
  })
})
