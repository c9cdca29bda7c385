// Who may import whom, read from the import lines of the source.
import { posix } from 'node:path'

/** Path from the project's root (`src/store/migrate.ts`) → text. */
export type Sources = ReadonlyMap<string, string>

export interface Violation {
  readonly file: string
  /** One sentence that names what is imported or done, and the rule it breaks. */
  readonly what: string
}

type Part = keyof typeof MAY_IMPORT

const FLOW = ['store', 'reten', 'dispatch', 'leaf'] as const

/** Part → the parts it may import beside itself. Flow siblings never import each other: they meet in rows of the store. */
const MAY_IMPORT = {
  commands: 'anything',
  app: ['receive', 'report', 'reconcile', 'ops', 'console', ...FLOW],
  receive: FLOW,
  deliver: ['adapters', ...FLOW],
  adapters: ['dispatch', 'leaf'],
  report: FLOW,
  reconcile: FLOW,
  /** Examines what the others use and uses none of them: whoever starts it hands over how an adapter is built. */
  doctor: FLOW,
  ops: ['doctor', ...FLOW],
  console: FLOW,
  store: ['dispatch', 'leaf'],
  reten: ['dispatch', 'leaf'],
  dispatch: ['leaf'],
  embedded: ['leaf'],
  sandbox: [],
  leaf: ['dispatch'],
} as const satisfies Record<string, readonly string[] | 'anything'>

/** Files at the top that put parts together; every other file at the top is a leaf. */
const APPS = ['src/public-app.ts', 'src/ops-app.ts', 'src/error-handler.ts']

/** The only leaves of these parts: what they promise to be could not hold with others. */
const LEAVES_OF: Readonly<Partial<Record<Part, readonly string[]>>> = {
  dispatch: ['errors', 'schemas', 'schema-types', 'time'],
  adapters: [
    ...['http-client', 'http-answer', 'http-fault', 'retry-after', 'until-aborted'],
    ...['errors', 'time', 'schemas', 'schema-types'],
  ],
}

/** Packages that only some parts may import. */
const PACKAGES: readonly (readonly [name: RegExp, parts: readonly Part[]])[] = [
  [/^(kysely|pg)(\/|$)/, ['store']],
  [/^(fastify|@fastify\/.*)$/, ['app', 'commands', 'receive', 'report', 'reconcile', 'ops', 'console', 'sandbox']],
]

/** What belongs to a program and its start. The keeper of the embedded database is a process of its own. */
const PROCESS_USE = /\bprocess\.(env|argv|exit|exitCode|on|once|stdin|stdout|stderr)\b/
const isProgram = (file: string): boolean => file.startsWith('src/commands/') || file === 'src/embedded/keeper.ts'

const NAMES_THAT_SAY_NOTHING = /(^|\/)(utils?|common|helpers?|types|interfaces|index|misc|shared)\.ts$/
const MAX_LINES = 400

/** Everything in `sources` that breaks a rule. */
export function findViolations(sources: Sources): Violation[] {
  return [...sources].flatMap(([file, text]) => {
    const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '') // lines that are comments and nothing else
    return [...faultsOfImports(file, code), ...faultsOfFile(file, code, text)].map((what) => ({ file, what }))
  })
}

/** The part a file belongs to, or undefined for a folder nobody has named yet. */
function partOf(file: string): Part | undefined {
  if (file.startsWith('src/deliver/adapters/')) return 'adapters'
  const [, folder, rest] = file.split('/')
  if (rest === undefined) return APPS.includes(file) ? 'app' : 'leaf'
  return folder !== undefined && isPart(folder) && folder !== 'leaf' && folder !== 'app' ? folder : undefined
}

function isPart(text: string): text is Part {
  return Object.hasOwn(MAY_IMPORT, text)
}

function faultsOfImports(file: string, code: string): string[] {
  const part = partOf(file)
  if (part === undefined) return ['stands in a folder that no rule knows']
  return importsOf(code).flatMap((specifier) => {
    if (!specifier.startsWith('.')) return faultsOfPackage(file, part, specifier)
    if (!/\.(ts|json|cjs)$/.test(specifier)) return [`imports ${specifier} without its real ending`]
    const target = posix.join(posix.dirname(file), specifier)
    return target.startsWith('src/') ? faultsOfDirection(part, target) : []
  })
}

function faultsOfDirection(part: Part, target: string): string[] {
  const other = partOf(target)
  if (other === undefined) return [`imports ${target}, which no rule knows`]
  const allowed: readonly string[] | 'anything' = MAY_IMPORT[part]
  if (other !== part && allowed !== 'anything' && !allowed.includes(other)) {
    return [`${part} imports ${target}, which is ${other}`]
  }
  const leaves = LEAVES_OF[part]
  if (other !== 'leaf' || leaves === undefined) return []
  return leaves.includes(posix.basename(target, '.ts')) ? [] : [`${part} imports the leaf ${target}`]
}

function faultsOfPackage(file: string, part: Part, specifier: string): string[] {
  if (part === 'dispatch' && specifier !== 'node:crypto') return [`dispatch is pure and imports ${specifier}`]
  const rule = PACKAGES.find(([name]) => name.test(specifier))
  return rule === undefined || rule[1].includes(part) ? [] : [`${file} is ${part} and imports ${specifier}`]
}

function faultsOfFile(file: string, code: string, text: string): string[] {
  const faults: string[] = []
  if (/\bexport default\b|\bexport \{[^}]*\bas default\b/.test(code)) faults.push('has a default export')
  if (/^export (\*|\{[^}]*\}) from /m.test(code)) faults.push('exports what another file holds')
  if (NAMES_THAT_SAY_NOTHING.test(file)) faults.push('has a name that says nothing')
  if (!/^[a-z0-9-]+(\.[a-z]+)+$/.test(posix.basename(file))) faults.push('has a name that is not kebab-case')
  const [used] = isProgram(file) ? [] : (PROCESS_USE.exec(code) ?? [])
  if (used !== undefined) faults.push(`uses ${used} outside of a program`)
  const lines = text.split('\n').length - 1
  if (lines > MAX_LINES && !text.startsWith('// Generated')) faults.push(`has ${lines} lines`)
  return faults
}

/** What a file imports, statically or not. */
function importsOf(text: string): string[] {
  const found = text.matchAll(
    /^(?:import|export)\b[^'"\n]*?(?:\n[^'"]*?)?from ['"]([^'"]+)['"]|\bimport ?\(? ?['"]([^'"]+)['"]/gm,
  )
  return [...found].map(([, fromLine, called]) => fromLine ?? called ?? '')
}
