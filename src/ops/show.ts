// How single values are shown to operators.
import { isUtf8 } from 'node:buffer'

/** An instant as ISO 8601 in UTC, or null. */
export function instant(value: Date | null): string | null {
  return value === null ? null : value.toISOString()
}

/** Bytes as text where they are UTF-8, as base64 where not, so that what is shown is always what was received. */
export function showBytes(
  bytes: Buffer,
): { byteLength: number; text: string } | { byteLength: number; base64: string } {
  return isUtf8(bytes)
    ? { byteLength: bytes.length, text: bytes.toString('utf8') }
    : { byteLength: bytes.length, base64: bytes.toString('base64') }
}
