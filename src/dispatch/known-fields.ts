// What is known of the bodies of one connection and one activity type, kept within bounds: at most 500 fields, at most 64 names in
// one object, at most 16 new ones from one body. Which of them are told as drift is decided in schema-drift.ts.
//
// An object with more names than that is a map (attributes by key, prices by article): names that fewer than five bodies had are
// forgotten, and whatever else comes there stands as `*`.
import { ANY_NAME, holderOf } from './body-shape.ts'
import type { BodyShape, JsonType, ShapeField } from './body-shape.ts'

export interface KnownType {
  seen: number
  /** Belongs to the field as it is known; what does not is counted until it is told. */
  isKnown: boolean
  isTold: boolean
  /** Instants are ISO 8601. */
  firstAt: string
  lastAt: string
}

export interface KnownField {
  samplePath: string
  /** Belongs to the known set; what does not is counted until it is told. */
  isKnown: boolean
  isToldNew: boolean
  isToldVanished: boolean
  /** Bodies that had it. */
  seen: number
  /** Bodies that could have had it: what holds it was there. */
  of: number
  /** The last of those in a row that had it not. */
  missing: number
  missingSince: string | null
  missingAt: string | null
  /** The most of them in a row after which it came again. */
  longestGap: number
  firstAt: string
  lastAt: string
  /** Number of the last body that had it. */
  lastBody: number
  types: Partial<Record<JsonType, KnownType>>
}

/** As it is stored. */
export interface KnownFields {
  /** Bodies looked at. */
  readonly bodies: number
  readonly fields: Readonly<Record<string, KnownField>>
  /** Paths of objects that are maps. */
  readonly maps: readonly string[]
}

export const NOTHING_KNOWN: KnownFields = Object.freeze({ bodies: 0, fields: {}, maps: [] })

/** So many bodies make the known set. */
export const LEARNING_BODIES = 100
/** So many bodies have to have a new field or type before it is told: one odd body is none. */
export const TELL_NEW_AFTER = 5

const MAX_FIELDS = 500
const MAX_NAMES = 64
const MAX_NEW_PER_BODY = 16
/** A field that was never told and that so many bodies did not have is forgotten. */
const FORGET_AFTER = 1_000

/** Fields under their paths, with room made for new ones. */
export interface FieldRegister {
  readonly fields: ReadonlyMap<string, KnownField>
  /** The body's fields under the paths they are known by; unknown ones are added where there is room, else left out. */
  admit(shape: BodyShape, bodyNo: number, at: string): Map<string, ShapeField>
  /** Forgets what came up once and never again. */
  forget(bodyNo: number): void
  maps(): readonly string[]
}

/** Opens what is stored; the stored value stays as it is. */
export function openFields(stored: KnownFields): FieldRegister {
  const fields = new Map(Object.entries(structuredClone(stored.fields)))
  const maps = new Set(stored.maps)
  const names = new Map<string, number>()
  for (const path of fields.keys()) countName(path, 1)

  function countName(path: string, by: number): void {
    const holder = holderOf(path)
    names.set(holder, (names.get(holder) ?? 0) + by)
  }

  const remove = (path: string): void => {
    for (const other of fields.keys()) {
      if (other !== path && !other.startsWith(`${path}/`)) continue
      fields.delete(other)
      countName(other, -1)
    }
  }

  const becomeMap = (holder: string): void => {
    maps.add(holder)
    for (const [path, field] of fields) {
      if (holderOf(path) === holder && field.seen < TELL_NEW_AFTER && !path.endsWith(`/${ANY_NAME}`)) remove(path)
    }
  }

  const makeRoom = (bodyNo: number): boolean => {
    if (fields.size < MAX_FIELDS) return true
    let oldest: readonly [path: string, lastBody: number] | undefined
    for (const [path, { isKnown, lastBody }] of fields) {
      if (!isKnown && lastBody < (oldest?.[1] ?? bodyNo)) oldest = [path, lastBody]
    }
    if (oldest !== undefined) remove(oldest[0])
    return oldest !== undefined
  }

  /** The path it is known by, or undefined where there is no room for it. */
  const place = (path: string, bodyNo: number, at: string, field: ShapeField): string | undefined => {
    const known = fields.get(path)
    if (known !== undefined) known.lastBody = bodyNo
    if (known !== undefined) return path
    if (!makeRoom(bodyNo)) return undefined
    fields.set(path, newField(field.samplePath, bodyNo, at))
    countName(path, 1)
    return path
  }

  return {
    fields,
    maps: () => [...maps],
    admit: (shape, bodyNo, at) => {
      const places = new Map([['', '']])
      const admitted = new Map<string, { readonly types: Set<JsonType>; readonly samplePath: string }>()
      let newOnes = 0
      for (const [path, field] of shape) {
        const holder = places.get(holderOf(path))
        if (holder === undefined) continue
        let wanted = holder + path.slice(path.lastIndexOf('/'))
        if (!fields.has(wanted)) {
          if ((names.get(holder) ?? 0) >= MAX_NAMES && !maps.has(holder)) becomeMap(holder)
          if (maps.has(holder)) wanted = `${holder}/${ANY_NAME}`
        }
        if (!fields.has(wanted)) {
          if (bodyNo > LEARNING_BODIES && newOnes >= MAX_NEW_PER_BODY) continue
          newOnes += 1
        }
        const placed = place(wanted, bodyNo, at, field)
        if (placed === undefined) continue
        places.set(path, placed)
        const before = admitted.get(placed)
        if (before === undefined) admitted.set(placed, { ...field, types: new Set(field.types) })
        else for (const type of field.types) before.types.add(type)
      }
      return admitted
    },
    forget: (bodyNo) => {
      for (const [path, field] of fields) if (!field.isKnown && field.lastBody < bodyNo - FORGET_AFTER) remove(path)
    },
  }
}

function newField(samplePath: string, bodyNo: number, at: string): KnownField {
  return {
    samplePath,
    isKnown: bodyNo <= LEARNING_BODIES,
    isToldNew: false,
    isToldVanished: false,
    seen: 0,
    of: 0,
    missing: 0,
    missingSince: null,
    missingAt: null,
    longestGap: 0,
    firstAt: at,
    lastAt: at,
    lastBody: bodyNo,
    types: {},
  }
}
