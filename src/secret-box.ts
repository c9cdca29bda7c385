// Secrets at rest: AES-256-GCM, a fresh nonce each time, the owner's name as associated data, so that a sealed secret copied
// to another connection's row does not open there. The first key seals; every key opens what it sealed.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { SecretsKey } from './config.ts'
import { AppError } from './errors.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface Sealed {
  readonly keyId: string
  /** Nonce, tag, ciphertext. */
  readonly bytes: Buffer
}

/** Seals a JSON value for `owner`. Throws RCV_SECRETS_KEY_MISSING where no key is configured. */
export function sealSecrets(keys: readonly SecretsKey[], owner: string, secrets: unknown): Sealed {
  const [first] = keys
  if (first === undefined) {
    const message = 'storing a secret needs SECRETS_KEY: 32 bytes, base64 (openssl rand -base64 32)'
    throw new AppError('RCV_SECRETS_KEY_MISSING', message)
  }
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', first.key, nonce).setAAD(Buffer.from(owner))
  const text = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()])
  return { keyId: first.id, bytes: Buffer.concat([nonce, cipher.getAuthTag(), text]) }
}

/**
 * Opens what `sealSecrets` sealed for the same owner. Throws RCV_SECRETS_KEY_MISSING where its key is not configured, and
 * RCV_SECRET_UNREADABLE where the key, the owner or the bytes are not the ones it was sealed with.
 */
export function openSecrets(keys: readonly SecretsKey[], owner: string, sealed: Sealed): unknown {
  const key = keys.find((candidate) => candidate.id === sealed.keyId)
  if (key === undefined) {
    const message = `the secrets of ${owner} were sealed with key ${sealed.keyId}, which SECRETS_KEY does not name`
    throw new AppError('RCV_SECRETS_KEY_MISSING', message)
  }
  try {
    const nonce = sealed.bytes.subarray(0, NONCE_BYTES)
    const tag = sealed.bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key.key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(owner)).setAuthTag(tag)
    const text = Buffer.concat([decipher.update(sealed.bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    return JSON.parse(text.toString('utf8'))
  } catch (error) {
    const message = `the secrets of ${owner} do not open with key ${sealed.keyId}`
    throw new AppError('RCV_SECRET_UNREADABLE', message, { cause: error })
  }
}
