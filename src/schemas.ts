// The schemas of schemas/, compiled once by an Ajv of our own: it refuses and never repairs. No coercion, no removal, no
// defaults; the first fault ends the check, because collecting them all lets a crafted body cost much more than its size.
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import type { Fault } from './errors.ts'

export type SchemaName =
  | 'activity'
  | 'dispatch-answer'
  | 'error'
  | 'result-submission'
  | 'result-accepted'
  | 'reten-task-list'
  | 'reten-result-types'
  | 'reten-activity'
  | 'reten-activity-list'
  | 'reten-status-events'
  | 'reten-attributes'
  | 'reten-dispatch-configs'
  | 'provider-event'
  | 'connection-settings'
  | 'configuration'

export type Validated<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly Fault[] }

const ID_PREFIX = 'https://reten-dispatch-receiver/schemas/'

/** The schema as it stands in schemas/, for routes that declare it. */
export function readSchema(name: SchemaName): Record<string, unknown> {
  // The files are ours and frozen with the release; that they are objects is checked by the generator of their types.
  return JSON.parse(readFileSync(new URL(`../schemas/${name}.json`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >
}

/**
 * Compiles one schema. The answer says whether a value fits, and if not, which field is at fault. `T` is the type
 * generated from the same file.
 */
export function compileSchema<T>(name: SchemaName): (value: unknown) => Validated<T> {
  const check = ajv().getSchema<T>(`${ID_PREFIX}${name}.json`)
  if (check === undefined) throw new Error(`no schema named ${name}`)
  return validator(check)
}

/** The same for a schema that is written in code, such as a route's parameters. */
export function compileInline<T>(schema: Record<string, unknown>): (value: unknown) => Validated<T> {
  return validator(ajv().compile<T>(schema))
}

/** What an Ajv error says, as a path and a sentence without it: `/commerce/externalId`, `must be a string`. */
export function toFault(error: ErrorObject): Fault {
  if (error.keyword === 'required')
    return { path: `${error.instancePath}/${error.params['missingProperty']}`, message: 'is required' }
  if (error.keyword === 'additionalProperties') {
    return { path: `${error.instancePath}/${error.params['additionalProperty']}`, message: 'is not known' }
  }
  return { path: error.instancePath, message: sentence(error) }
}

/** A fault as one sentence that starts with where: `body/commerce/externalId must be a string`. */
export function describeFault(where: string, fault: Fault): string {
  return `${where}${fault.path} ${fault.message}`
}

function sentence(error: ErrorObject): string {
  const { keyword, params } = error
  if (keyword === 'type') {
    const types: string[] = Array.isArray(params['type']) ? params['type'] : String(params['type']).split(',')
    const named = types.filter((type) => type !== 'null' || types.length === 1)
    return `must be ${named.map(withArticle).join(' or ')}`
  }
  if (keyword === 'enum') return `must be one of ${params['allowedValues'].map(String).join(', ')}`
  if (keyword === 'minLength' && params['limit'] === 1) return 'must not be empty'
  if (keyword === 'format' && params['format'] === 'date-time') return 'must be an ISO 8601 time with its zone'
  return error.message ?? `breaks the rule ${keyword}`
}

function withArticle(type: string): string {
  if (type === 'null') return 'null'
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`
}

function validator<T>(check: ValidateFunction<T>): (value: unknown) => Validated<T> {
  return (value) => (check(value) ? { ok: true, value } : { ok: false, faults: (check.errors ?? []).map(toFault) })
}

let shared: Ajv | undefined

function ajv(): Ajv {
  if (shared === undefined) {
    shared = createAjv()
    for (const name of SCHEMA_NAMES) shared.addSchema(readSchema(name))
  }
  return shared
}

/** An Ajv with the rules of this service and no schemas in it yet. */
export function createAjv(): Ajv {
  const instance = new Ajv({
    allErrors: false,
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allowUnionTypes: true,
  })
  formats.default(instance, ['date-time'])
  return instance
}

const SCHEMA_NAMES: readonly SchemaName[] = [
  'activity',
  'error',
  'dispatch-answer',
  'result-submission',
  'result-accepted',
  'reten-task-list',
  'reten-result-types',
  'reten-activity',
  'reten-activity-list',
  'reten-status-events',
  'reten-attributes',
  'reten-dispatch-configs',
  'provider-event',
  'connection-settings',
  'configuration',
]
