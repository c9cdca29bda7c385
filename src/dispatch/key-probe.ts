// A key that the other side refused: when it is tried again, and what a try can say.
//
//              refused            probe: good           taken, or turned down for itself
//  in use ───────────────► paused ──────────► on trial ────────────────────────────────► in use
//                            ▲    (or no probe)   │
//                            └─────── refused ────┘          on trial: one at a time
//
//  refused for the n-th time in a row   1      2      3      4      5       6 and more
//  tried again after                    30 s   1 min  2 min  5 min  10 min  15 min

/** Seconds until a key is tried again that was refused for the n-th time in a row; the last one stands for all that follow. */
export const PROBE_DELAYS_SECONDS: readonly number[] = Object.freeze([30, 60, 120, 300, 600, 900])

/**
 * What a harmless call says of our credentials. `good`: they were let in; whether they suffice for the real call, only that
 * one can tell. `refused`: they were not. `unknown`: nobody answered, or the answer says nothing of them.
 */
export type ProbeAnswer =
  | { readonly kind: 'good' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string }
