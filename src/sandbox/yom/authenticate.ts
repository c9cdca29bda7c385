import type { FastifyReply, FastifyRequest } from 'fastify'
import { bearerToken, readToken, signToken } from '../tokens.ts'
import { yomErrorBody } from './refuse.ts'
import type { YomState } from './state.ts'

/** Issues a token shaped as YOM documents it: a JWT that carries domain, customer, roles and permissions. */
export const grantToken = (state: YomState): string => {
  state.totals.tokensGranted += 1
  const nowSeconds = Math.floor(state.clock.nowMs() / 1000)
  return signToken(
    {
      userId: state.random.hex(24, 'token-user'),
      roles: ['CLIENT_ADMIN'],
      domain: 'demo.example',
      customerId: state.random.hex(24, 'customer'),
      permissions: ['commerce:read', 'salesman:read', 'task:read', 'task:write'],
      generation: state.tokenGeneration,
      iat: nowSeconds,
      exp: nowSeconds + state.switches.tokenLifetimeSeconds,
    },
    state.credentials.tokenSecret,
  )
}

/** Lets a request through with the API key or a live token; that `Bearer` carries the token is an assumption. */
export const requireCredentials =
  (state: YomState) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (request.headers['x-api-key'] === state.credentials.apiKey) return undefined
    const token = bearerToken(request.headers.authorization)
    const claims = token === undefined ? undefined : readToken(token, state.credentials.tokenSecret)
    const expiresAtSeconds = claims?.['exp']
    if (typeof expiresAtSeconds !== 'number' || claims?.['generation'] !== state.tokenGeneration) {
      return reply.code(401).send(yomErrorBody(401, 'No authorization token was found, or it is not valid'))
    }
    if (expiresAtSeconds * 1000 > state.clock.nowMs()) return undefined
    const errors = { expiredAt: new Date(expiresAtSeconds * 1000).toISOString() }
    return reply.code(401).send(yomErrorBody(401, 'jwt expired', errors, 'TokenExpiredError'))
  }
