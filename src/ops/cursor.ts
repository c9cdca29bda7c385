// Cursors: where a page ended, as text that a client hands back and does not read.
import { queryError } from './validation.ts'

/** Writes a position as an opaque cursor. */
export function encodeCursor(parts: readonly (number | string)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** Reads the position of a list over one number. Throws RCV_QUERY_INVALID for anything that list did not write. */
export function decodeNumberCursor(cursor: string): number {
  const [position, ...rest] = decode(cursor)
  if (rest.length > 0 || !isPosition(position)) throw wrongCursor()
  return position
}

/** Reads the position of a list over a number and a UUID. Throws RCV_QUERY_INVALID for anything that list did not write. */
export function decodeNumberAndIdCursor(cursor: string): { readonly position: number; readonly id: string } {
  const [position, id, ...rest] = decode(cursor)
  if (rest.length > 0 || !isPosition(position) || typeof id !== 'string' || !UUID.test(id)) throw wrongCursor()
  return { position, id }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function decode(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(parts) ? parts : []
  } catch {
    return [] // not JSON: refused by the caller like every other cursor that is not ours
  }
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function wrongCursor() {
  return queryError('cursor', 'is not one that this list gave out')
}
