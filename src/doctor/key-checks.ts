// The keys others call us with: Reten with a dispatch, the provider with a result.
import { listKeys } from '../store/connection-keys.ts'
import type { ShownKey } from '../store/connection-keys.ts'
import { DAY_MS } from '../time.ts'
import { failed, ok, unchecked, warning } from './finding.ts'
import type { Verdict } from './finding.ts'
import type { Subject } from './subject.ts'

type Purpose = ShownKey['purpose']

/** Enough to enter another one at Reten or at the provider. */
const SOON_DAYS = 7

/** Whether a key of this purpose opens the connection now. */
export async function judgeKeys(subject: Subject, purpose: Purpose): Promise<Verdict> {
  const { connection, config, db, clock } = subject
  if (connection.origin === 'environment') return judgeEnvironment(config.environmentConnection, purpose)
  if (db === undefined) return unchecked('the database cannot be asked')
  const keys = (await listKeys(db, connection.name)).filter((key) => key.purpose === purpose)
  const usable = keys.filter((key) => key.is_usable)
  const advice = `run "npm run connections -- rotate-key ${connection.name} --purpose ${purpose}" and enter the key ${where(purpose)}`
  if (usable.length === 0) return failed(describeUnusable(keys), advice)
  const count = `${usable.length} ${usable.length === 1 ? 'key opens' : 'keys open'} it now`
  const lastEnd = usable.map((key) => key.not_after).reduce(later)
  if (lastEnd !== null && lastEnd.getTime() - clock.now() < SOON_DAYS * DAY_MS) {
    return warning(`${count}, and none after ${lastEnd.toISOString()}`, advice)
  }
  return ok(count)
}

function judgeEnvironment(environment: Subject['config']['environmentConnection'], purpose: Purpose): Verdict {
  if (purpose === 'dispatch') return ok(`${environment?.dispatchKeys.length ?? 0} of DISPATCH_API_KEY`)
  if (environment?.webhookToken !== undefined) return ok('WEBHOOK_TOKEN is set')
  return failed(
    'WEBHOOK_TOKEN is not set, so the provider cannot tell what became of anything',
    `set WEBHOOK_TOKEN (openssl rand -hex 24) and enter it ${where('webhook')}`,
  )
}

function where(purpose: Purpose): string {
  return purpose === 'dispatch' ? 'as API key of the dispatch configuration at Reten' : 'at the provider'
}

function describeUnusable(keys: readonly ShownKey[]): string {
  if (keys.length === 0) return 'there is no key'
  const revoked = keys.filter((key) => key.revoked_at !== null).length
  const ended = keys.length - revoked
  return `no key is valid now: ${revoked} revoked, ${ended} not valid yet or any more`
}

/** Null is never. */
function later(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return null
  return one > other ? one : other
}
