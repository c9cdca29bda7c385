// What a result needs before Reten is told of it: a code of the tenant's, and a future date where the code's type asks for one.
// Pure, so that it can be tabled in a test.
import { mapResultCode } from '../dispatch/map-result-code.ts'
import type { RetenResultTypes } from '../schema-types.ts'
import type { Report } from '../store/load-reports.ts'

/**
 * - `send`: with this code.
 * - `hold`: a setting, or the tenant, is missing something; it waits for that.
 * - `refuse`: no setting can repair it; a person can report it by hand.
 */
export type ReportCheck =
  | { readonly kind: 'send'; readonly code: string }
  | { readonly kind: 'hold' | 'refuse'; readonly reasonCode: string; readonly reason: string }

export interface CheckFacts {
  /** The provider's codes and Reten's for them. */
  readonly resultMap: Readonly<Record<string, string>>
  /** The tenant's result types; undefined where they cannot be read: then Reten itself says what it does not take. */
  readonly types: RetenResultTypes | undefined
  /** An earlier try was sent: it was good then, and whether Reten has it is the only question left. */
  readonly isFateUnknown: boolean
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** Maps the provider's code to Reten's, and checks what Reten would refuse. */
export function checkReport(report: Pick<Report, 'code' | 'futureScheduledAt'>, facts: CheckFacts): ReportCheck {
  const { types, resultMap } = facts
  const code = mapResultCode(report.code, resultMap)
  // A list without any type says nothing of this code; Reten itself will.
  if (types === undefined || types.length === 0 || facts.isFateUnknown) return { kind: 'send', code }
  const type = types.find((one) => one.code === code)
  if (type === undefined)
    return { kind: 'hold', reasonCode: 'code_unknown', reason: describeUnknown(report.code, code) }
  if (type.requiresFutureScheduledAt !== true) return { kind: 'send', code }
  const { futureScheduledAt } = report
  if (futureScheduledAt === null) {
    const reason = `${code} needs a future date (futureScheduledAt), and the provider told none`
    return { kind: 'refuse', reasonCode: 'future_date_missing', reason }
  }
  if (futureScheduledAt.getTime() <= facts.nowMs) {
    const reason = `${code} needs a date in the future, and ${futureScheduledAt.toISOString()} is past`
    return { kind: 'refuse', reasonCode: 'future_date_past', reason }
  }
  return { kind: 'send', code }
}

function describeUnknown(told: string, code: string): string {
  if (told === code) return `${code} is none of the tenant's result types: map it in the connection's result_map`
  return `${told} is mapped to ${code}, which is none of the tenant's result types: correct the connection's result_map`
}
