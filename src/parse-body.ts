// From bytes to a JSON object, or to the reason why not. The bytes themselves are kept whatever comes of this.
import { isUtf8 } from 'node:buffer'
import secureJson from 'secure-json-parse'
import { isJsonObject } from './dispatch/read-activity.ts'
import type { JsonObject } from './dispatch/read-activity.ts'
import type { ErrorCode } from './errors.ts'

// Deeper than any activity, and far below where recursion of a serializer ends. A body beyond it is refused, or it would be
// acknowledged here and could never be sent on.
const MAX_DEPTH = 64

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22
const BACKSLASH = 0x5c

export type ParsedBody =
  | { readonly ok: true; readonly value: JsonObject }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly message: string
      /** The parsed object, where there is one all the same: it may tell which activity this is. */
      readonly value?: JsonObject
    }

/**
 * Parses a body. Keys that would reach an object's prototype are left out of the parsed value (the bytes keep them); of
 * duplicate keys the last one counts, as in every JavaScript parser.
 */
export function parseBody(bytes: Buffer): ParsedBody {
  if (bytes.length === 0) return { ok: false, code: 'RCV_BODY_NOT_JSON', message: 'body is empty' }
  if (!isUtf8(bytes)) return { ok: false, code: 'RCV_BODY_NOT_JSON', message: 'body is not UTF-8' }
  let value: unknown
  try {
    value = parseText(bytes.toString('utf8'))
  } catch (error) {
    return { ok: false, code: 'RCV_BODY_NOT_JSON', message: `body is not JSON${placeOf(error)}` }
  }
  if (!isJsonObject(value)) {
    const what = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`
    return { ok: false, code: 'RCV_BODY_NOT_OBJECT', message: `body must be an object and is ${what}` }
  }
  if (isDeeperThan(bytes, MAX_DEPTH)) {
    return { ok: false, code: 'RCV_BODY_TOO_DEEP', message: `body is nested deeper than ${MAX_DEPTH} levels`, value }
  }
  return { ok: true, value }
}

// The secure parser looks for the dangerous keys with two regular expressions over the whole text. A text that holds neither
// word, no escape they could be spelled with and no byte order mark is parsed alike without them.
const NEEDS_CARE = ['__proto__', 'constructor', String.raw`\u00`, '\ufeff']

function parseText(text: string): unknown {
  if (!NEEDS_CARE.some((part) => text.includes(part))) return JSON.parse(text)
  return secureJson.parse(text, undefined, { protoAction: 'remove', constructorAction: 'remove' })
}

// The parser's own message quotes the body, and a body holds personal data: only the place is passed on.
function placeOf(error: unknown): string {
  const place = error instanceof Error ? /position \d+/.exec(error.message) : null
  return place === null ? '' : ` at ${place[0]}`
}

/** Whether objects and arrays stand deeper than `limit` in a JSON text; one pass over the bytes, no recursion. */
export function isDeeperThan(bytes: Buffer, limit: number): boolean {
  let depth = 0
  let isInString = false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index]
    if (isInString) {
      if (byte === BACKSLASH) index += 1
      else if (byte === QUOTE) isInString = false
    } else if (byte === QUOTE) isInString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1
      if (depth > limit) return true
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1
  }
  return false
}
