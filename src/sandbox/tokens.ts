import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a token says of its bearer; `exp` and `iat` are seconds since the epoch, in sandbox time. */
export type TokenClaims = Readonly<Record<string, unknown>>

const HEADER = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).toString('base64url')

/** Signs a JWT with HS256. */
export const signToken = (claims: TokenClaims, secret: string): string => {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${HEADER}.${payload}.${signatureOf(`${HEADER}.${payload}`, secret)}`
}

/** The claims of a token signed with this secret; `undefined` for any other text. Expiry is the caller's to judge. */
export const readToken = (token: string, secret: string): TokenClaims | undefined => {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const expected = Buffer.from(signatureOf(`${header}.${payload}`, secret))
  const given = Buffer.from(signature)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
  return typeof claims === 'object' && claims !== null ? { ...claims } : undefined
}

/** The token in an `Authorization: Bearer` header. */
export const bearerToken = (header: string | undefined): string | undefined => header?.match(/^bearer +(\S+)$/i)?.[1]

const signatureOf = (text: string, secret: string): string =>
  createHmac('sha256', secret).update(text).digest('base64url')
