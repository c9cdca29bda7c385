// What a check comes to. Everything here is shown to people and scripts: no secret may be in it (run-checks.ts cuts them).

/**
 * - `ok`: it was looked at, and is right. `warning`: it works, and will hurt.
 * - `failed`: it does not work. `unchecked`: nobody can tell from here, or something else has to be mended first.
 */
export type Status = 'ok' | 'warning' | 'failed' | 'unchecked'

export interface Verdict {
  readonly status: Status
  /** One sentence: what was seen. */
  readonly found: string
  /** One sentence: what to do, with the setting's name. Absent where there is nothing to do. */
  readonly advice?: string | undefined
  /** What the verdict takes for granted although nobody has documented it. */
  readonly assumption?: string | undefined
}

/** A verdict and what it is about. */
export interface Finding extends Verdict {
  /** What was checked, in a few words that stay the same: `Reten key`. */
  readonly check: string
  /** Absent where it is about the whole installation. */
  readonly connection?: string | undefined
}

/** All findings of one examination, in the order they were made. */
export interface Report {
  /** Nothing failed. */
  readonly ok: boolean
  readonly counts: Readonly<Record<Status, number>>
  readonly findings: readonly Finding[]
}

export function ok(found: string, assumption?: string): Verdict {
  return { status: 'ok', found, assumption }
}

export function warning(found: string, advice: string): Verdict {
  return { status: 'warning', found, advice }
}

export function failed(found: string, advice: string, assumption?: string): Verdict {
  return { status: 'failed', found, advice, assumption }
}

export function unchecked(found: string, advice?: string, assumption?: string): Verdict {
  return { status: 'unchecked', found, advice, assumption }
}

/** Sums findings up. */
export function toReport(findings: readonly Finding[]): Report {
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length
  const counts = { ok: count('ok'), warning: count('warning'), failed: count('failed'), unchecked: count('unchecked') }
  return { ok: counts.failed === 0, counts, findings }
}
