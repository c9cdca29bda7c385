// The commerces whose delivery ended here a moment ago, where a connection keeps the order per commerce: what waited behind it is
// claimed next, rather than when the search comes by from the beginning.
import type { ReadyDelivery } from './deliver-one.ts'

export interface FreedCommerces {
  /** A delivery has ended. Nothing happens where its connection keeps no order. */
  add(ended: Pick<ReadyDelivery, 'job' | 'connection'>): void
  /** What was added since the last call, by connection. What then is not claimed is found a second later at the most. */
  take(): ReadonlyMap<string, readonly string[]>
}

/** Builds an empty list. */
export function createFreedCommerces(): FreedCommerces {
  let freed = new Map<string, string[]>()
  return {
    add: ({ job, connection }) => {
      if (connection.settings.ordering !== 'commerce') return
      const commerces = freed.get(job.connection) ?? []
      freed.set(job.connection, commerces)
      commerces.push(job.commerceId)
    },
    take: () => {
      const taken = freed
      freed = new Map()
      return taken
    },
  }
}
