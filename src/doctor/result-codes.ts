// Whether Reten will understand the results: every code that goes to it must be one of the tenant's result types.
import type { Connection } from '../connection.ts'
import type { ResultCodeCount } from '../store/count-result-codes.ts'
import { failed, ok, unchecked } from './finding.ts'
import type { Verdict } from './finding.ts'
import { nameSetting } from './name-setting.ts'

export interface ResultCodesInput {
  readonly connection: Pick<Connection, 'name' | 'origin'>
  /** The codes of the tenant's result types. */
  readonly known: readonly string[]
  /** What this connection's latest results were reported as; undefined where the database cannot be asked. */
  readonly sent: readonly ResultCodeCount[] | undefined
  /** The provider's codes to Reten's. */
  readonly resultMap: Readonly<Record<string, string>>
  /** What is reported when a dispatch is given up. */
  readonly onGiveUp: string | undefined
}

const ASSUMPTION = 'no adapter can list the codes its provider will send: judged are those that came'

/** Judges what is set and what came; codes are compared as they are, case included. */
export function judgeResultCodes(input: ResultCodesInput): Verdict {
  const { connection, known, sent, resultMap, onGiveUp } = input
  const isUnknown = (code: string): boolean => !known.includes(code)
  const list = known.length === 0 ? 'none' : known.join(', ')
  const setting = (name: string): string =>
    nameSetting(connection, { environment: `${name} in CONNECTION_SETTINGS`, managed: `settings.${name}` })

  const wrongTargets = Object.entries(resultMap).filter(([, code]) => isUnknown(code))
  if (wrongTargets.length > 0) {
    const pairs = wrongTargets.map(([theirs, ours]) => `${theirs} to ${ours}`).join(', ')
    return failed(
      `result_map leads ${pairs}, which Reten does not know; its result types are ${list}`,
      `correct ${setting('result_map')}`,
    )
  }
  if (onGiveUp !== undefined && isUnknown(onGiveUp)) {
    const found = `on_give_up is ${onGiveUp}, which Reten does not know; its result types are ${list}`
    return failed(found, `correct ${setting('on_give_up')}`)
  }
  const strange = (sent ?? []).filter(({ code }) => isUnknown(code) && isUnknown(resultMap[code] ?? code))
  if (strange.length > 0) {
    const codes = strange.map(({ code, times }) => `${code} (${times} times)`).join(', ')
    return failed(
      `the provider sent ${codes}, which Reten does not know and nothing maps; its result types are ${list}`,
      `map each to one of them by ${setting('result_map')}`,
    )
  }
  if (known.length === 0)
    return unchecked('the tenant has no result types, so no result can be reported', "have Reten's team add some")
  const seen =
    sent === undefined
      ? ''
      : sent.length === 0
        ? '; no result has come yet'
        : `; ${sent.length} came, all of them known or mapped`
  return ok(`Reten's result types are ${list}${seen}`, ASSUMPTION)
}
