import type { FastifyReply, FastifyRequest } from 'fastify'
import { yomErrorBody } from './refuse.ts'
import type { YomState } from './state.ts'

/** Refuses what exceeds the switch's requests in one real second, with a Retry-After. */
export const createRateLimit = (
  state: YomState,
): ((request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>) => {
  let second = 0
  let answered = 0
  return async (_request, reply) => {
    const limit = state.switches.requestsPerSecond
    if (limit === 0) return undefined
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) {
      second = now
      answered = 0
    }
    answered += 1
    if (answered <= limit) return undefined
    return reply.code(429).header('retry-after', '1').send(yomErrorBody(429, 'Too many requests'))
  }
}
