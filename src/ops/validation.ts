// How routes of the operators' listener check what they are sent: with the service's own Ajv, and refusing by name. A query
// string is text; numbers in it are read here, not by coercion.
import type { FastifyInstance, FastifySchema } from 'fastify'
import { AppError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { compileInline, describeFault } from '../schemas.ts'

export const DEFAULT_LIMIT = 50
// A page of 200 rows is read in a glance by nobody, and in a moment by a script.
export const MAX_LIMIT = 200

/** A page of a list. */
export interface Page<Row> {
  readonly data: readonly Row[]
  readonly meta: { readonly limit: number; readonly next_cursor: string | null }
}

/** The query parameters every list takes. */
export const PAGE_PARAMETERS = Object.freeze({
  limit: { type: 'string', description: `Rows of a page, 1 to ${MAX_LIMIT}; default ${DEFAULT_LIMIT}.` },
  cursor: { type: 'string', maxLength: 200, description: "The last page's next_cursor." },
})

/** Makes every schema of the app's routes be checked by the service's own rules; faults carry the field's or parameter's name. */
export function useOwnValidation(app: FastifyInstance): void {
  app.setValidatorCompiler<FastifySchema & Record<string, unknown>>(({ schema, httpPart }) => {
    const check = compileInline(schema)
    return (value: unknown) => {
      const checked = check(value)
      return checked.ok ? { value } : { error: refusal(httpPart, checked.faults) }
    }
  })
}

/** Reads `limit`. Throws RCV_QUERY_INVALID unless it is a whole number from 1 to 200. */
export function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MAX_LIMIT) throw queryError('limit', `must be a whole number from 1 to ${MAX_LIMIT}`)
  return limit
}

/** The error for one query parameter. */
export function queryError(parameter: string, message: string): AppError {
  return new AppError('RCV_QUERY_INVALID', `${parameter} ${message}`, { details: [{ path: parameter, message }] })
}

function refusal(httpPart: string | undefined, faults: readonly Fault[]): AppError {
  const [fault] = faults
  if (fault === undefined) return new AppError('RCV_REQUEST_INVALID', 'the request breaks the rules of this route')
  if (httpPart === 'querystring') {
    const message = fault.message === 'must be a string' ? 'is given more than once' : fault.message
    return queryError(fault.path.split('/')[1] ?? '', message)
  }
  const where = httpPart === 'params' ? 'path' : 'body'
  return new AppError('RCV_REQUEST_INVALID', describeFault(where, fault), { details: faults })
}
