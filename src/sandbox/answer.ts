import type { FastifyReply } from 'fastify'

/** What a route decided, before it is on the wire: the place where a fault can still come between. */
export interface Answer {
  readonly statusCode: number
  /** Sent as JSON; `undefined` sends no body. */
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** 200 with a body. */
export const ok = (body: unknown): Answer => ({ statusCode: 200, body })

/** 201 with a body. */
export const created = (body: unknown): Answer => ({ statusCode: 201, body })

/** 204, empty. */
export const noContent = (): Answer => ({ statusCode: 204, body: undefined })

/** Puts an answer on the wire as it is. */
export const sendAnswer = (reply: FastifyReply, answer: Answer): FastifyReply => {
  if (answer.headers !== undefined) void reply.headers(answer.headers)
  return reply.code(answer.statusCode).send(answer.body)
}
