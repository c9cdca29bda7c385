import t from 'tap'
import type { SecretsKey } from '../src/config.ts'
import { openSecrets, sealSecrets } from '../src/secret-box.ts'

const one: SecretsKey = { id: 'k1', key: Buffer.alloc(32, 1) }
const two: SecretsKey = { id: 'k2', key: Buffer.alloc(32, 2) }
const secrets = { retenApiKey: 'rtn_sk_ñ\u0000', provider: { api_key: 'p' } }

void t.test('sealSecrets', async (t) => {
  await t.test('seals with the first key, and opens with it whatever its place', async (t) => {
    const sealed = sealSecrets([one, two], 'acme', secrets)

    t.equal(sealed.keyId, 'k1')
    t.same(openSecrets([two, one], 'acme', sealed), secrets)
  })

  await t.test('seals the same secrets differently each time, and shows nothing of them', async (t) => {
    const [first, second] = [sealSecrets([one], 'acme', secrets), sealSecrets([one], 'acme', secrets)]

    t.notOk(first.bytes.equals(second.bytes))
    t.notMatch(first.bytes.toString('latin1'), /rtn_sk/)
  })

  await t.test('needs a key', async (t) => {
    t.throws(() => sealSecrets([], 'acme', secrets), { code: 'RCV_SECRETS_KEY_MISSING', message: /SECRETS_KEY/ })
  })
})

void t.test('openSecrets', async (t) => {
  const sealed = sealSecrets([one], 'acme', secrets)

  await t.test('names the key that is not configured', async (t) => {
    t.throws(() => openSecrets([two], 'acme', sealed), { code: 'RCV_SECRETS_KEY_MISSING', message: /key k1/ })
    t.throws(() => openSecrets([], 'acme', sealed), { code: 'RCV_SECRETS_KEY_MISSING' })
  })

  await t.test('opens nothing for another owner, with another key, or after a bit has changed', async (t) => {
    const unreadable = { code: 'RCV_SECRET_UNREADABLE', message: /^the secrets of \w+ do not open with key k1$/ }

    t.throws(() => openSecrets([one], 'other', sealed), unreadable)
    t.throws(() => openSecrets([{ ...two, id: 'k1' }], 'acme', sealed), unreadable)
    for (const at of [0, 12, 28, sealed.bytes.length - 1]) {
      const bytes = Buffer.from(sealed.bytes)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      t.throws(() => openSecrets([one], 'acme', { ...sealed, bytes }), unreadable, `byte ${at}`)
    }
  })

  await t.test('opens nothing of bytes that are cut short', async (t) => {
    for (const length of [0, 5, 12, 20, 28, sealed.bytes.length - 1]) {
      const bytes = sealed.bytes.subarray(0, length)
      t.throws(() => openSecrets([one], 'acme', { ...sealed, bytes }), { code: 'RCV_SECRET_UNREADABLE' }, `${length}`)
    }
  })
})
