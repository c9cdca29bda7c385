// Whether Reten will understand the results: every code that goes to it must be one of the tenant's result types.
import type { Connection, EffectiveSettings } from '../connection.ts'
import { mapResultCode } from '../dispatch/map-result-code.ts'
import type { ResultCodeCount } from '../store/count-result-codes.ts'
import { failed, ok, unchecked } from './finding.ts'
import type { Verdict } from './finding.ts'
import { nameSetting } from './name-setting.ts'

export interface ResultCodesInput {
  readonly connection: Pick<Connection, 'name' | 'origin'>
  readonly settings: Pick<EffectiveSettings, 'resultMap' | 'acknowledgementCode' | 'onGiveUp'>
  /** The codes of the tenant's result types. */
  readonly known: readonly string[]
  /** What the provider said of the latest dispatches; undefined where the database cannot be asked. */
  readonly told: readonly ResultCodeCount[] | undefined
}

const ASSUMPTION = 'no adapter can list the codes its provider will send: judged are those that came'

/** Judges what is set and what came; codes are compared as they are, case included. */
export function judgeResultCodes(input: ResultCodesInput): Verdict {
  const { connection, settings, known, told } = input
  const { resultMap, acknowledgementCode, onGiveUp } = settings
  if (known.length === 0) {
    return unchecked(
      "Reten lists no result type of the tenant's, so no code can be compared",
      "ask Reten's team for them",
    )
  }
  const isUnknown = (code: string): boolean => !known.includes(code)
  const theirs = `which Reten does not know; its result types are ${known.join(', ')}`
  const setting = (name: string): string =>
    nameSetting(connection, { environment: `${name} in CONNECTION_SETTINGS`, managed: `settings.${name}` })

  const wrong = Object.entries(resultMap).filter(([, code]) => isUnknown(code))
  if (wrong.length > 0) {
    const pairs = wrong.map(([from, to]) => `${from} to ${to}`).join(', ')
    return failed(`result_map leads ${pairs}, ${theirs}`, `correct ${setting('result_map')}`)
  }
  for (const [name, code] of [
    ['on_give_up', onGiveUp?.code],
    ['pending_result', acknowledgementCode],
  ] as const) {
    if (code !== undefined && isUnknown(code))
      return failed(`${name} is ${code}, ${theirs}`, `correct ${setting(name)}`)
  }
  const strange = (told ?? []).filter(({ code }) => isUnknown(mapResultCode(code, resultMap)))
  if (strange.length > 0) {
    const codes = strange.map(({ code, times }) => `${code} (${times} times)`).join(', ')
    return failed(`the provider sent ${codes}, ${theirs}`, `map each to one of them by ${setting('result_map')}`)
  }
  return ok(`Reten's result types are ${known.join(', ')}; ${describeTold(told)}`, ASSUMPTION)
}

function describeTold(told: ResultCodesInput['told']): string {
  if (told === undefined) return 'which ones came, only the database knows'
  return told.length === 0 ? 'no result has come yet' : 'all that came are among them or mapped'
}
