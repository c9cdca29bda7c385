import type { IncomingHttpHeaders } from 'node:http'

/**
 * Headers kept beside a body: what helps to understand it later, and nothing that could hold a credential. The list allows;
 * anything a sender adds one day stays out until it is named here.
 */
const KEPT_HEADERS = [
  'content-type',
  'content-encoding',
  'user-agent',
  'x-request-id',
  'traceparent',
  'tracestate',
  'webhook-id',
] as const

// A header's text beyond this says nothing more.
const MAX_VALUE_LENGTH = 500

/** The headers to keep with a body. */
export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of KEPT_HEADERS) {
    const value = headers[name]
    if (typeof value === 'string') kept[name] = value.slice(0, MAX_VALUE_LENGTH).replaceAll('\u0000', '')
  }
  return kept
}
