import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  pickRetenUrl,
  readDuration,
  readNamedSecret,
  readPublicUrl,
  readSecret,
  readSetting,
} from '../../src/commands/connection-options.ts'

void t.test('readSetting', async (t) => {
  await t.test('takes JSON as such and anything else as text, one option after another', async (t) => {
    const settings = ['n=8', 'list=["CALL"]', 'url=https://p.example/?a=b', 'quoted="8"'].reduce<
      Record<string, unknown>
    >((earlier, text) => readSetting(text, earlier), {})

    t.same(settings, { n: 8, list: ['CALL'], url: 'https://p.example/?a=b', quoted: '8' })
  })

  await t.test('refuses what names nothing', async (t) => {
    for (const text of ['max_in_flight', '=8', ''])
      t.throws(() => readSetting(text), { message: 'write it like name=value' })
  })
})

void t.test('readSecret', async (t) => {
  await t.test('reads a file without its line end, so that a secret need not stand in a command', async (t) => {
    const file = join(t.testdir({}), 'secret')
    await writeFile(file, 'hush-hush\n')

    t.equal(readSecret(`@${file}`), 'hush-hush')
    t.equal(readSecret('plain'), 'plain')
    t.same(readNamedSecret(`auth_token=@${file}`, { other: 'x' }), { other: 'x', auth_token: 'hush-hush' })
  })

  await t.test('refuses a file that cannot be read', async (t) => {
    t.throws(() => readSecret('@/nowhere'), { message: /cannot be read/ })
  })
})

void t.test('readDuration', async (t) => {
  await t.test('reads seconds, minutes, hours and days as seconds', async (t) => {
    t.same(['90s', '15m', '24h', '7d', '0s'].map(readDuration), [90, 900, 86_400, 604_800, 0])
  })

  await t.test('refuses a number without a unit', async (t) => {
    for (const text of ['24', 'h', '1.5h', '-1h', '1w'])
      t.throws(() => readDuration(text), { message: /90s, 15m/ }, text)
  })
})

void t.test('readPublicUrl', async (t) => {
  await t.test('drops trailing slashes and keeps a path in front', async (t) => {
    t.equal(readPublicUrl('https://receiver.example/'), 'https://receiver.example')
    t.equal(readPublicUrl('https://example.com/receiver/'), 'https://example.com/receiver')
  })

  await t.test('refuses what Reten would append itself, and what is no address', async (t) => {
    t.throws(() => readPublicUrl('https://receiver.example/activities/'), { message: /without \/activities/ })
    t.throws(() => readPublicUrl('receiver.example'), { message: /not an http or https address/ })
  })
})

void t.test('pickRetenUrl', async (t) => {
  await t.test('takes an environment, an address, or neither', async (t) => {
    t.equal(pickRetenUrl({ retenEnvironment: 'staging' }), 'https://api-staging.reten.ai')
    t.equal(pickRetenUrl({ retenBaseUrl: 'http://localhost:3000' }), 'http://localhost:3000')
    t.equal(pickRetenUrl({}), undefined)
  })

  await t.test('refuses both, and an environment nobody knows', async (t) => {
    const both = { retenEnvironment: 'local', retenBaseUrl: 'http://localhost:3000' }

    t.throws(() => pickRetenUrl(both), { code: 'RCV_COMMAND_INVALID', message: /keep one/ })
    t.throws(() => pickRetenUrl({ retenEnvironment: 'prod' }), { code: 'RCV_COMMAND_INVALID', message: /not prod/ })
  })
})
