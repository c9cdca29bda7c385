import { STATUS_CODES } from 'node:http'
import type { Answer } from '../answer.ts'

/** Reten's documented error body. */
export interface RetenErrorBody {
  readonly statusCode: number
  readonly error: string
  readonly message: string | readonly string[]
}

/** Words an error as Reten documents it. */
export const retenErrorBody = (statusCode: number, message: string | readonly string[]): RetenErrorBody => ({
  statusCode,
  error: STATUS_CODES[statusCode] ?? 'Error',
  message,
})

/** A refusal in Reten's words. */
export const refuse = (statusCode: number, message: string): Answer => ({
  statusCode,
  body: retenErrorBody(statusCode, message),
})
