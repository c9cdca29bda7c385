import t from 'tap'
import { RETEN_ENVIRONMENTS, isRetenEnvironment } from '../../src/reten/environments.ts'

t.test('RETEN_ENVIRONMENTS', async (t) => {
  t.same(RETEN_ENVIRONMENTS, {
    production: 'https://api.reten.ai',
    staging: 'https://api-staging.reten.ai',
    development: 'https://api-development.reten.ai',
    local: 'http://localhost:3000',
  })
})

t.test('isRetenEnvironment', async (t) => {
  t.ok(isRetenEnvironment('staging'))
  for (const name of ['', 'prod', 'toString']) t.notOk(isRetenEnvironment(name), name)
})
