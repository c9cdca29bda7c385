// Fields of Reten's bodies that are new, vanished or of another type than before. Each is told once it is no accident:
//
//  new       five bodies have had a field that none of the first hundred had
//  retyped   five bodies have had a field with a type it never had; null is no type of its own
//  vanished  a field that twenty bodies have had is missing where it was to be expected twenty times by how often it was there,
//            and for more than twice as long as ever before; told again only after it came back
//
// Only the topmost is told: what comes, goes or changes inside of a field that does is not.
import { ANY_NAME, holderOf } from './body-shape.ts'
import type { BodyShape, JsonType, ShapeField } from './body-shape.ts'
import { LEARNING_BODIES, openFields, TELL_NEW_AFTER } from './known-fields.ts'
import type { KnownField, KnownFields, KnownType } from './known-fields.ts'

export const SCHEMA_CHANGES = ['new', 'vanished', 'retyped'] as const
export type SchemaChangeKind = (typeof SCHEMA_CHANGES)[number]

export interface SchemaChange {
  readonly change: SchemaChangeKind
  readonly path: string
  readonly samplePath: string
  /** New: its types. Retyped: the type it has now. Vanished: the types it had. */
  readonly types: readonly JsonType[]
  /** Retyped: the types it had before; else empty. */
  readonly formerTypes: readonly JsonType[]
  /** Bodies that had it; of a field that vanished, bodies in a row that had it not. */
  readonly bodies: number
  /** ISO 8601; of a field that vanished, the first and the last body without it. */
  readonly firstAt: string
  readonly lastAt: string
  /** When a field that vanished came back; else null. */
  readonly endedAt: string | null
  /** Whether it passed its threshold now, and was not told before. */
  readonly isFresh: boolean
}

export interface DriftJudge {
  /** Takes one body in, in the order they came. `at` is ISO 8601. */
  look(shape: BodyShape, at: string): void
  /** What is known now, and every change that is told and was touched, as it stands now. */
  finish(): { readonly known: KnownFields; readonly changes: readonly SchemaChange[] }
}

const EXPECTED_TIMES = 20
const TELL_VANISHED_ABOVE_SEEN = 20

/** Judges the next bodies of one connection and type by what is known of the earlier ones. */
export function createDriftJudge(stored: KnownFields): DriftJudge {
  const register = openFields(stored)
  const changes = new Map<string, SchemaChange>()
  let bodies = stored.bodies

  const note = (change: Omit<SchemaChange, 'isFresh'>, isFresh: boolean): void => {
    const key = [change.change, change.path, ...(change.change === 'retyped' ? change.types : [])].join(' ')
    changes.set(key, { ...change, isFresh: isFresh || changes.get(key)?.isFresh === true })
  }

  const judgeSeen = (path: string): void => {
    const field = register.fields.get(path)
    if (field === undefined) return
    const isHeldByKnown = register.fields.get(holderOf(path))?.isKnown ?? true
    if (!field.isKnown && field.seen >= TELL_NEW_AFTER && isHeldByKnown) {
      field.isToldNew = true
      becomeKnown(field)
      for (const inside of fieldsInside(register.fields, path)) becomeKnown(inside)
      note(describeNew(path, field), true)
    } else if (field.isToldNew) note(describeNew(path, field), false)
    for (const [type, known] of typesOf(field)) {
      const verdict = judgeType(field, type, known)
      if (verdict === 'fresh') for (const inside of fieldsInside(register.fields, path)) becomeKnown(inside)
      if (verdict !== undefined) note(describeRetyped(path, field, type, known), verdict === 'fresh')
    }
  }

  return {
    look(shape, at) {
      bodies += 1
      const admitted = register.admit(shape, bodies, at)
      for (const [path, seen] of admitted) {
        const field = register.fields.get(path)
        if (field === undefined) continue
        if (field.isToldVanished) note(describeVanished(path, field, at), false)
        count(field, seen, bodies, at)
      }
      if (bodies > LEARNING_BODIES) for (const path of admitted.keys()) judgeSeen(path)
      for (const [path, field] of register.fields) {
        if (admitted.has(path) || !isExpected(path, admitted)) continue
        field.of += 1
        field.missing += 1
        field.missingSince ??= at
        field.missingAt = at
        const isFresh = !field.isToldVanished && bodies > LEARNING_BODIES && hasVanished(field)
        if (isFresh) field.isToldVanished = true
        if (field.isToldVanished) note(describeVanished(path, field, null), isFresh)
      }
    },
    finish() {
      register.forget(bodies)
      return {
        known: { bodies, fields: Object.fromEntries(register.fields), maps: register.maps() },
        changes: [...changes.values()],
      }
    },
  }
}

function count(field: KnownField, seen: ShapeField, bodyNo: number, at: string): void {
  field.longestGap = Math.max(field.longestGap, field.missing)
  Object.assign(field, { missing: 0, missingSince: null, missingAt: null, isToldVanished: false, lastAt: at })
  field.seen += 1
  field.of += 1
  for (const type of seen.types) {
    const known = (field.types[type] ??= {
      seen: 0,
      isKnown: bodyNo <= LEARNING_BODIES,
      isTold: false,
      firstAt: at,
      lastAt: at,
    })
    known.seen += 1
    known.lastAt = at
  }
}

/** Where what holds it is an object in this body. Elements of arrays and keys of maps come and go. */
function isExpected(path: string, admitted: ReadonlyMap<string, ShapeField>): boolean {
  if (path.endsWith(`/${ANY_NAME}`)) return false
  const holder = holderOf(path)
  return holder === '' || admitted.get(holder)?.types.has('object') === true
}

function hasVanished(field: KnownField): boolean {
  if (!field.isKnown || field.seen < TELL_VANISHED_ABOVE_SEEN) return false
  const share = field.seen / (field.of - field.missing)
  return field.missing * share >= EXPECTED_TIMES && field.missing > 2 * field.longestGap
}

/** Undefined where nothing is to be told of the type. */
function judgeType(field: KnownField, type: JsonType, known: KnownType): 'fresh' | 'told' | undefined {
  if (known.isTold) return 'told'
  if (known.isKnown || !field.isKnown) return undefined
  // What was null so far, and null itself, changes no type.
  if (type === 'null' || formerTypesOf(field).length === 0) known.isKnown = true
  if (known.isKnown || known.seen < TELL_NEW_AFTER) return undefined
  known.isTold = true
  known.isKnown = true
  return 'fresh'
}

/** What has come up inside of a field that is told; it is not told beside it. */
function fieldsInside(fields: ReadonlyMap<string, KnownField>, path: string): KnownField[] {
  return [...fields].flatMap(([other, field]) => (other.startsWith(`${path}/`) ? [field] : []))
}

function becomeKnown(field: KnownField): void {
  field.isKnown = true
  for (const [, type] of typesOf(field)) type.isKnown = true
}

function typesOf(field: KnownField): readonly (readonly [JsonType, KnownType])[] {
  return Object.entries(field.types) as [JsonType, KnownType][] // the keys of a record by JsonType
}

function formerTypesOf(field: KnownField): JsonType[] {
  return typesOf(field).flatMap(([type, known]) => (known.isKnown && type !== 'null' ? [type] : []))
}

function describeNew(path: string, field: KnownField): Omit<SchemaChange, 'isFresh'> {
  const { samplePath, seen, firstAt, lastAt } = field
  const types = typesOf(field).map(([type]) => type)
  return { change: 'new', path, samplePath, types, formerTypes: [], bodies: seen, firstAt, lastAt, endedAt: null }
}

function describeRetyped(
  path: string,
  field: KnownField,
  type: JsonType,
  known: KnownType,
): Omit<SchemaChange, 'isFresh'> {
  const { samplePath } = field
  const { seen: bodies, firstAt, lastAt } = known
  const formerTypes = formerTypesOf(field).filter((former) => (field.types[former]?.firstAt ?? '') < firstAt)
  return { change: 'retyped', path, samplePath, types: [type], formerTypes, bodies, firstAt, lastAt, endedAt: null }
}

function describeVanished(path: string, field: KnownField, endedAt: string | null): Omit<SchemaChange, 'isFresh'> {
  const { samplePath, missing: bodies, missingSince, missingAt } = field
  const types = typesOf(field).map(([type]) => type)
  return {
    change: 'vanished',
    path,
    samplePath,
    types,
    formerTypes: [],
    bodies,
    firstAt: missingSince ?? field.lastAt,
    lastAt: missingAt ?? field.lastAt,
    endedAt,
  }
}
