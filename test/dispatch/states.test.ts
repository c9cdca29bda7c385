import t from 'tap'
import { DISPATCH_STATES, TRANSITIONS, transition } from '../../src/dispatch/states.ts'
import type { DispatchEvent, DispatchState } from '../../src/dispatch/states.ts'

/** Every event in every state; a dot changes nothing. Columns as in DISPATCH_STATES. */
const TABLE: Readonly<Record<DispatchEvent, string>> = {
  //            received   delivered completed failed    canceled  discarded
  accepted: '   delivered  .         .         .         .         .        ',
  final_event: 'delivered  .         .         .         .         .        ',
  reported: '   .          completed .         completed completed .        ',
  gave_up: '    failed     .         .         .         .         .        ',
  cancel: '     canceled   .         .         .         .         .        ',
  task_canceled: '.        canceled  .         .         .         .        ',
  discard: '    .          .         .         discarded .         .        ',
  replay: '     received   received  received  received  received  received ',
}

const KNOWN: ReadonlySet<string> = new Set(DISPATCH_STATES)

t.test('transition', async (t) => {
  for (const [event, row] of Object.entries(TABLE) as [DispatchEvent, string][]) {
    for (const [column, cell] of row.trim().split(/ +/).entries()) {
      const state = DISPATCH_STATES[column] ?? 'received'
      const says = cell === '.' ? 'changes nothing' : `makes it ${cell}`

      t.test(`${event} on ${state} ${says}`, async (t) => {
        t.equal(transition(state, event), cell === '.' ? undefined : (cell as DispatchState))
      })
    }
  }

  t.test('knows no event and no state beyond the table', async (t) => {
    t.strictSame(Object.keys(TRANSITIONS).toSorted(), Object.keys(TABLE).toSorted())
    for (const row of Object.values(TRANSITIONS)) {
      for (const state of [...Object.keys(row), ...Object.values(row)]) t.ok(KNOWN.has(state))
    }
  })
})
