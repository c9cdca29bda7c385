import t from 'tap'
import { untilAborted } from '../src/until-aborted.ts'

t.test('untilAborted', async (t) => {
  t.test('answers what the shared work came to', async (t) => {
    t.equal(await untilAborted(Promise.resolve('done'), new AbortController().signal, 'given up'), 'done')
  })

  t.test('rejects as the shared work does', async (t) => {
    await t.rejects(untilAborted(Promise.reject(new Error('no')), new AbortController().signal, 'given up'), /no/)
  })

  t.test('answers at once when the signal aborts, while others go on waiting', async (t) => {
    const work = Promise.withResolvers<string>()
    const giveUp = new AbortController()
    const impatient = untilAborted(work.promise, giveUp.signal, 'given up')
    const patient = untilAborted(work.promise, new AbortController().signal, 'given up')

    giveUp.abort()
    t.equal(await impatient, 'given up')
    work.resolve('done')

    t.equal(await patient, 'done')
  })

  t.test('does not begin to wait when the signal has aborted before', async (t) => {
    t.equal(await untilAborted(Promise.resolve('done'), AbortSignal.abort(), 'given up'), 'given up')
  })
})
