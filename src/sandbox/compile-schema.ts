import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'

const ISO_8601 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$/i

// Compiled schemas outlive a stand-in: tests start hundreds of them, each with the same schemas.
const compiled = new Map<string, ValidateFunction>()
let shared: Ajv | undefined

/**
 * Compiles a schema into a check that refuses without coercing, removing or filling in anything, and finds every fault.
 * The format `iso-8601` takes dates with or without a time and a zone, as Reten's documentation only says "ISO 8601".
 */
export const compileSchema = (schema: unknown): ValidateFunction => {
  const text = JSON.stringify(schema)
  const known = compiled.get(text)
  if (known !== undefined) return known
  shared ??= createAjv()
  const check = shared.compile(typeof schema === 'object' && schema !== null ? schema : {})
  compiled.set(text, check)
  return check
}

const createAjv = (): Ajv => {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false })
  formats.default(ajv, ['uuid'])
  ajv.addFormat('iso-8601', (text: string) => ISO_8601.test(text) && !Number.isNaN(Date.parse(text)))
  return ajv
}
