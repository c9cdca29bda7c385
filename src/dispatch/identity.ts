// The dispatch id is computed, not drawn, so every instance answers a repeat with the same id without asking anybody.
import { hash } from 'node:crypto'

const UUID_SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The id of the dispatch of `activityId` over `connection`: a UUID version 8 over SHA-256 of both. An activity id in the
 * shape of a UUID is lower-cased first, because two spellings of one UUID are one activity.
 * Source: RFC 9562, section 5.8 (version 8, custom bits).
 */
export function computeDispatchId(connection: string, activityId: string): string {
  const canonical = UUID_SHAPE.test(activityId) ? activityId.toLowerCase() : activityId
  // A connection's name holds no line feed (its rule in the database), so the pair is read back in one way only.
  return uuidFromDigest(hash('sha256', `${connection}\n${canonical}`, 'hex'))
}

/** The key a provider recognises a repeated delivery by: the dispatch id, and the revision once there is one. */
export function idempotencyKey(dispatchId: string, revision: number): string {
  return revision === 0 ? dispatchId : `${dispatchId}-r${revision}`
}

const KEY_SHAPE = /^([0-9a-f-]{36})-r([1-9][0-9]{0,8})$/i

/** Reads back what a provider repeats of ours: the dispatch id, or the key of one of its revisions; undefined for anything else. */
export function readIdempotencyKey(
  text: string,
): { readonly dispatchId: string; readonly revision: number | undefined } | undefined {
  const [, id = text, revision] = KEY_SHAPE.exec(text) ?? []
  // The bare id is told by providers of every revision.
  return isUuid(id)
    ? { dispatchId: id.toLowerCase(), revision: revision === undefined ? undefined : Number(revision) }
    : undefined
}

/** Whether `text` is written like a UUID, whatever its version. */
export function isUuid(text: string): boolean {
  return UUID_SHAPE.test(text)
}

/** A UUID version 8 that carries the first 122 usable bits of a hexadecimal digest. */
export function uuidFromDigest(hex: string): string {
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) & 3)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
