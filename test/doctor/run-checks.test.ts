import t from 'tap'
import { AppError } from '../../src/errors.ts'
import { ok } from '../../src/doctor/finding.ts'
import { runCheck, runTogether } from '../../src/doctor/run-checks.ts'

void t.test('runCheck', async (t) => {
  await t.test('ends a check that does not end by itself', async (t) => {
    let wasTold = false
    const run = (signal: AbortSignal) =>
      new Promise<never>(() => signal.addEventListener('abort', () => (wasTold = true)))

    const finding = await runCheck({ name: 'slow', run }, [], 10)

    t.match(finding, { status: 'failed', found: 'there was no answer within 0.01 s' })
    t.ok(wasTold)
  })

  await t.test('makes a finding of what a check throws, on one line and without a stack', async (t) => {
    const run = () => Promise.reject(new AppError('RCV_ADAPTER_UNKNOWN', 'there is\nno adapter'))

    t.match(await runCheck({ name: 'broken', run }, []), {
      status: 'failed',
      found: 'there is no adapter',
      advice: 'read RCV_ADAPTER_UNKNOWN in docs/errors.md',
    })
  })

  await t.test('cuts secrets out of the words of others', async (t) => {
    const run = async () => ok('they said: unknown key abcdef')

    t.equal((await runCheck({ name: 'leaky', run }, ['abcdef'])).found, 'they said: unknown key [secret]')
  })
})

void t.test('runTogether', async (t) => {
  await t.test('tells findings in the order of the checks, whichever ends first', async (t) => {
    const told: string[] = []
    const first = { name: 'first', run: () => new Promise<ReturnType<typeof ok>>((resolve) => (release = resolve)) }
    let release: (verdict: ReturnType<typeof ok>) => void = () => {}
    const second = {
      name: 'second',
      run: async () => {
        release(ok('after the second'))
        return ok('')
      },
    }

    await runTogether([first, second], [], ({ check }) => told.push(check))

    t.same(told, ['first', 'second'])
  })
})
