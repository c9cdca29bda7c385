// Two calls that only somebody makes who checks an installation. Neither changes anything at Reten.
import { compileSchema } from '../schemas.ts'
import type { ResultAccepted, RetenDispatchConfigs } from '../schema-types.ts'
import type { RetenAnswer } from './reten-answer.ts'
import { createRetenCall } from './reten-call.ts'
import type { RetenCallInput } from './reten-call.ts'

export interface RetenInspector {
  /**
   * Submits a result that is none: every required field is missing, so Reten refuses it with 400 and registers nothing.
   * That a key without SUBMIT_ACTIVITY_RESULT gets its 403 before the body is looked at is an assumption.
   */
  submitNothing(signal: AbortSignal): Promise<RetenAnswer<ResultAccepted>>
  /**
   * The tenant's dispatch configurations, without credentials. Needs VIEW_ACTIVITIES; documented for users, and for keys only
   * in general, so a refusal says nothing of the key.
   */
  listDispatchConfigs(signal: AbortSignal): Promise<RetenAnswer<RetenDispatchConfigs>>
}

/** A tenant has a handful of configurations. */
const MAX_RESPONSE_BYTES = 1_048_576

/** Makes an inspector. Calls nobody. */
export function createRetenInspector(input: RetenCallInput): RetenInspector {
  const call = createRetenCall(input)
  const maxResponseBytes = MAX_RESPONSE_BYTES
  const validateAccepted = compileSchema<ResultAccepted>('result-accepted')
  const validateConfigs = compileSchema<RetenDispatchConfigs>('reten-dispatch-configs')

  return {
    submitNothing: (signal) =>
      call(
        { path: '/api/integration/activity-results/tasks', body: {}, maxResponseBytes, validate: validateAccepted },
        signal,
      ),
    listDispatchConfigs: (signal) =>
      call({ path: '/api/dispatch-configs', maxResponseBytes, validate: validateConfigs }, signal),
  }
}
