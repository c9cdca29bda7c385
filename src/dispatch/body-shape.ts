// Which fields a body has and of which types, without any value. Bodies may be hostile and hold personal data: what is read is
// bounded, and a key that does not read like the name of a field is not told.
import { isJsonObject } from './read-activity.ts'
import type { JsonObject } from './read-activity.ts'

export type JsonType = 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array'

export interface ShapeField {
  /** More than one where the elements of an array differ. */
  readonly types: ReadonlySet<JsonType>
  /** JSON Pointer of one place, with the index where `path` has `*` for an array's element. */
  readonly samplePath: string
}

/** By path: a JSON Pointer in which `*` stands for every element of an array. A field stands behind what holds it. */
export type BodyShape = ReadonlyMap<string, ShapeField>

/** Stands for array elements, and for keys that may be data. */
export const ANY_NAME = '*'

/** A crafted body has thousands; one of Reten's some dozens. */
const MAX_VALUES = 2_000
/** Deeper fields are not told apart; the deepest expected one, `/taskDetails/assignedOperator/externalId`, is the third level. */
const MAX_DEPTH = 8
/** Elements of one array look alike. */
const MAX_ELEMENTS = 20

// Letters, digits, `_`, `$`, `.` and `-`, at most 64, not beginning with a digit: no telephone number, address of mail, sentence.
const NAME = /^[\p{L}_$][\p{L}\p{N}_$.-]{0,63}$/u
const DATA_IN_NAME = /\p{N}{5}|[0-9a-f]{8}-[0-9a-f]{4}/iu
/** Nearly every name: letters alone, and so no data by the rule above. Five times as fast as that. */
const PLAIN_NAME = /^[A-Za-z_]{1,64}$/

/** A key as it is told: itself where it reads like the name of a field, else `*`. */
export function fieldName(key: string): string {
  if (PLAIN_NAME.test(key)) return key
  return NAME.test(key) && !DATA_IN_NAME.test(key) ? key : ANY_NAME
}

/** Reads the shape; undefined for a body of more than 2,000 values, half of which would look like fields that are missing. */
export function readShape(body: JsonObject): BodyShape | undefined {
  const shape = new Map<string, { readonly types: Set<JsonType>; readonly samplePath: string }>()
  let left = MAX_VALUES

  const visit = (value: unknown, path: string, samplePath: string, depth: number): void => {
    left -= 1
    if (left < 0) return
    const type = typeOf(value)
    const known = shape.get(path)
    if (known === undefined) shape.set(path, { types: new Set([type]), samplePath })
    else known.types.add(type)
    if (depth < MAX_DEPTH) visitHeld(value, path, samplePath, depth + 1)
  }

  const visitHeld = (value: unknown, path: string, samplePath: string, depth: number): void => {
    if (Array.isArray(value)) {
      for (const [index, element] of value.slice(0, MAX_ELEMENTS).entries()) {
        visit(element, `${path}/${ANY_NAME}`, `${samplePath}/${index}`, depth)
      }
    } else if (isJsonObject(value)) {
      for (const key in value) {
        const name = fieldName(key)
        visit(value[key], `${path}/${name}`, `${samplePath}/${name}`, depth)
        if (left < 0) return
      }
    }
  }

  visitHeld(body, '', '', 1)
  return left < 0 ? undefined : shape
}

/** The path of what holds a field; empty for a field at the top. */
export function holderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  const type = typeof value
  // A parsed JSON value has no other type.
  return type === 'string' || type === 'number' || type === 'boolean' ? type : 'object'
}
