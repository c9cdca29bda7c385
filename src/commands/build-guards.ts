// The guards of both kinds of jobs: what they count as a fault, how other instances hear of a wish to wait, and what metrics and
// health say of them.
import { createBreakers } from '../breakers.ts'
import { isProviderFault } from '../deliver/guarded-adapter.ts'
import type { Outcome } from '../dispatch/outcome.ts'
import type { Guards } from '../guards.ts'
import { createHoldOffs } from '../hold-offs.ts'
import type { Logger } from '../logger.ts'
import type { BreakerSample } from '../metrics.ts'
import { isRetenFault } from '../reten/reten-answer.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { ResultAccepted } from '../schema-types.ts'
import type { Db } from '../store/database.ts'
import { holdOff } from '../store/connection-budgets.ts'
import type { JobKind } from '../store/tables.ts'
import type { Clock } from '../time.ts'

export interface AllGuards {
  readonly deliver: Guards<Outcome>
  readonly report: Guards<RetenAnswer<ResultAccepted>>
  /** Every breaker of these connections as it is now. */
  sample(connections: readonly { readonly name: string }[]): readonly BreakerSample[]
  /** One sentence that names the connections that are left alone, or undefined. */
  fault(): string | undefined
}

export interface GuardsInput {
  readonly db: Db
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
}

/** Builds guards that let everything through. */
export function buildGuards(input: GuardsInput): AllGuards {
  const deliver = {
    breakers: createBreakers<Outcome>({ ...input, kind: 'deliver', isFault: isProviderFault }),
    holdOffs: buildHoldOffs(input, 'deliver'),
  }
  const report = {
    breakers: createBreakers<RetenAnswer<ResultAccepted>>({ ...input, kind: 'report', isFault: isRetenFault }),
    holdOffs: buildHoldOffs(input, 'report'),
  }
  return {
    deliver,
    report,
    sample: (connections) =>
      connections.flatMap(({ name }) => [
        { connection: name, kind: 'deliver', state: deliver.breakers.state(name) },
        { connection: name, kind: 'report', state: report.breakers.state(name) },
      ]),
    fault: () => {
      const faults = [deliver.breakers.fault(), report.breakers.fault()].filter((fault) => fault !== undefined)
      return faults.length === 0 ? undefined : faults.join('; ')
    },
  }
}

function buildHoldOffs({ db, clock, logger }: GuardsInput, kind: JobKind) {
  return createHoldOffs({
    kind,
    clock,
    logger,
    share: (connection, forMs) => holdOff(db, { connection, kind, forMs }),
  })
}
