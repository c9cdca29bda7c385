import type { FastifyReply } from 'fastify'
import { setTimeout as waitReal } from 'node:timers/promises'
import { sendAnswer, type Answer } from './answer.ts'
import type { Fault } from './faults.ts'

/** How a stand-in words its errors, and what its faults need to know. */
export interface FaultManners {
  /** The body of an error answer. */
  readonly errorBody: (statusCode: number, message: string) => unknown
  /** How long `slow` holds an answer back at most, in real milliseconds. */
  readonly slowMs: number
}

/**
 * Does the work and answers it, or does one of the two wrong, as the fault says. Whether the work was done is the
 * point of most faults: `reset_before`, `error_before` and `throttled` never call `work`, all others do.
 */
export const answerWithFault = async (
  reply: FastifyReply,
  fault: Fault | undefined,
  manners: FaultManners,
  work: () => Answer | Promise<Answer>,
): Promise<FastifyReply> => {
  switch (fault?.kind) {
    case 'reset_before':
      return resetConnection(reply)
    case 'error_before':
      return reply.code(500).send(manners.errorBody(500, 'Internal server error'))
    case 'throttled':
      return throttle(reply, manners)
    case 'throttled_seconds':
      return throttle(reply.header('retry-after', '1'), manners)
    case 'throttled_date':
      // Real time, as all on the wire. HTTP dates have whole seconds: two, so that rounding down still leaves one.
      return throttle(reply.header('retry-after', new Date(Date.now() + 2000).toUTCString()), manners)
    case 'slow':
      await waitReal(Math.ceil(manners.slowMs * (0.5 + fault.roll / 2)))
      return sendAnswer(reply, await work())
    case 'lost_after':
      await work()
      return resetConnection(reply)
    case 'error_after':
      await work()
      return reply.code(502).send(manners.errorBody(502, 'Bad gateway'))
    case 'half_answer':
      return breakOff(reply, await work())
    case 'wrong_type':
      return reply
        .code((await work()).statusCode)
        .type('text/html; charset=utf-8')
        .send('<!doctype html><title>One moment</title><p>Checking your connection…</p>')
    default:
      return sendAnswer(reply, await work())
  }
}

const resetConnection = (reply: FastifyReply): FastifyReply => {
  void reply.hijack()
  reply.raw.socket?.resetAndDestroy()
  return reply
}

const throttle = (reply: FastifyReply, manners: FaultManners): FastifyReply =>
  reply.code(429).send(manners.errorBody(429, 'Too many requests'))

const breakOff = (reply: FastifyReply, answer: Answer): FastifyReply => {
  const text = JSON.stringify(answer.body ?? null)
  void reply.hijack()
  reply.raw.writeHead(answer.statusCode, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text) + 64,
  })
  reply.raw.write(text.slice(0, Math.ceil(text.length / 2)), () => reply.raw.socket?.destroy())
  return reply
}
