import t from 'tap'
import { readDemoOptions } from '../../../src/commands/demo/options.ts'

t.test('readDemoOptions', async (t) => {
  t.test('has a default for everything', async (t) => {
    t.strictSame(readDemoOptions([]), {
      activities: 200,
      rate: undefined,
      faults: 'none',
      seed: 1,
      provider: 'key',
      shape: 'mixed',
      exit: false,
      json: false,
    })
  })

  t.test('reads everything that can be said', async (t) => {
    const said = '--activities 7 --rate 50/s --faults storm --seed 3 --provider lookup --shape flat-snake --exit --json'

    t.match(readDemoOptions(said.split(' ')), {
      activities: 7,
      rate: 50,
      faults: 'storm',
      seed: 3,
      provider: 'lookup',
      shape: 'flat-snake',
      exit: true,
      json: true,
    })
  })

  const WRONG: Readonly<Record<string, readonly [args: readonly string[], sentence: RegExp]>> = {
    'an option nobody knows': [['--activites', '50'], /unknown option '--activites'/],
    'no number of activities': [['--activities', 'many'], /whole number from 1 to/],
    'none at all': [['--activities', '0'], /whole number from 1 to/],
    'half of one': [['--activities', '0.5'], /whole number from 1 to/],
    'more than anybody waits for': [['--activities', '100001'], /whole number from 1 to/],
    'a rate that is none': [['--rate', 'fast'], /dispatches a second from 1 to/],
    'a rate of nothing': [['--rate', '0/s'], /dispatches a second from 1 to/],
    'a seed below nothing': [['--seed', '-1'], /whole number from 0 to/],
    'faults nobody knows': [['--faults', 'all'], /Allowed choices are none, some, storm/],
    'a provider nobody knows': [['--provider', 'maybe'], /Allowed choices are key, lookup, none/],
    'a word too many': [['now'], /too many arguments/],
  }
  for (const [what, [args, sentence]] of Object.entries(WRONG)) {
    t.test(`refuses ${what}, and says what would do`, async (t) => {
      const printed = t.capture(process.stderr, 'write', () => true)

      t.throws(() => readDemoOptions(args), { name: 'CommanderError' })

      t.match(
        printed()
          .map(({ args: [text] }) => String(text))
          .join(''),
        sentence,
      )
    })
  }
})
