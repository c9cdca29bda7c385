import type { ResultContent } from './result.ts'

/** What a provider's webhook said: which dispatch it means, by at least one of three ids, and what became of it. */
export interface ProviderEvent {
  readonly dispatchId?: string | undefined
  readonly activityId?: string | undefined
  readonly providerTaskId?: string | undefined
  readonly content: ResultContent
}
