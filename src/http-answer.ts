// Reading what others answer: leniently, capped, and fit for the database, whatever bytes came.

export type JsonReading = { readonly isJson: true; readonly value: unknown } | { readonly isJson: false }

/** 4 KiB: a whole error message with its details, not a whole page. */
export const EXCERPT_BYTES = 4_096
const CUT_MARK = '…'
const SECRET_MARK = '[secret]'
/** A shorter one is no secret, and cutting it out everywhere would make the excerpt unreadable. */
const SHORTEST_SECRET = 4

/**
 * Parses an answer's body. Whole numbers too large for a double stay what was sent, as strings: an id must not be rounded.
 * An empty body is not JSON.
 */
export function readJson(body: string): JsonReading {
  try {
    return { isJson: true, value: JSON.parse(body, keepLargeIntegers) }
  } catch {
    // Not JSON is an answer like another here: the caller decides what it means.
    return { isJson: false }
  }
}

/** `value` as a record of unknowns where it is a JSON object, else undefined. */
export function readRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  // An object that is no array has string keys; what they hold stays unknown.
  return value as Readonly<Record<string, unknown>>
}

/** A text from a JSON answer that is neither empty nor anything else than a string or a number; fit for PostgreSQL. */
export function readText(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined
  const text = toStorableText(String(value)).trim()
  return text === '' ? undefined : text
}

/** PostgreSQL stores neither U+0000 nor half of a surrogate pair; both become U+FFFD. */
export function toStorableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}')
}

/**
 * Makes the function that shortens texts for operators: at most 4 KiB of UTF-8, none of `secrets` in it, storable. Secrets
 * are cut before the text is, so that none survives by halves.
 */
export function createExcerpt(secrets: readonly string[]): (text: string) => string {
  const spellings = [...new Set(secrets.filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(spell))].sort(
    (one, other) => other.length - one.length,
  )
  return (text) => {
    let shown = text
    for (const spelling of spellings) shown = shown.replaceAll(spelling, SECRET_MARK)
    // Before it is cut: what PostgreSQL cannot store becomes longer by it.
    return cut(toStorableText(shown))
  }
}

function spell(secret: string): readonly string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]
}

function cut(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= EXCERPT_BYTES) return text
  // A decoder in stream mode holds back a character whose last bytes were cut away.
  const room = EXCERPT_BYTES - Buffer.byteLength(CUT_MARK)
  return new TextDecoder().decode(bytes.subarray(0, room), { stream: true }) + CUT_MARK
}

function keepLargeIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isRounded = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
  return isRounded ? (context?.source ?? value) : value
}
