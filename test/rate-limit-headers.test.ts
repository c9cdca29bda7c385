import fc from 'fast-check'
import t from 'tap'
import { readHoldOffMs } from '../src/rate-limit-headers.ts'
import { holds } from './support/holds.ts'

const NOW_MS = Date.parse('2026-05-04T12:00:00.000Z')
const NOW_S = NOW_MS / 1_000

type Row = readonly [why: string, status: number, headers: Readonly<Record<string, string>>, ms: number | undefined]

const ROWS: readonly Row[] = [
  ['nothing said', 200, {}, undefined],
  ['429 with a time', 429, { 'retry-after': '7' }, 7_000],
  ['429 with a date', 429, { 'retry-after': 'Mon, 04 May 2026 12:00:30 GMT' }, 30_000],
  ['429 without a time', 429, {}, 5_000],
  ['429 with a time that is none', 429, { 'retry-after': 'soon' }, 5_000],
  ['429 whose time has come', 429, { 'retry-after': '0' }, 0],
  ['429 that tells its quota instead', 429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9' }, 9_000],
  ['429 that tells both: Retry-After goes first', 429, { 'retry-after': '3', ratelimit: '"a";r=0;t=60' }, 3_000],
  ['503 with a time', 503, { 'retry-after': '12' }, 12_000],
  ['503 without a time: a fault like another', 503, {}, undefined],
  ['409 with a time: about that one request', 409, { 'retry-after': '12' }, undefined],

  ['a quota used up by a success', 201, { ratelimit: '"default";r=0;t=30' }, 30_000],
  ['a quota that is not', 201, { ratelimit: '"default";r=1;t=30' }, undefined],
  [
    'several quotas, the longest of those used up',
    200,
    { ratelimit: '"a";r=0;t=1, "b";r=0;t=60,"c";r=5;t=900' },
    60_000,
  ],
  ['a quota used up that does not say how long', 200, { ratelimit: '"a";r=0' }, undefined],
  ['the form of the draft’s seventh version', 200, { ratelimit: 'limit=9, remaining=0, reset=4' }, 4_000],
  ['the same, not used up', 200, { ratelimit: 'limit=9, remaining=3, reset=4' }, undefined],
  ['three fields of their own', 200, { 'ratelimit-remaining': '0', 'ratelimit-reset': '8' }, 8_000],
  ['the same, not used up', 200, { 'ratelimit-remaining': '1', 'ratelimit-reset': '8' }, undefined],

  ['seconds from now', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '45' }, 45_000],
  ['a part of a second', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1.5' }, 1_500],
  ['seconds since 1970', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_S + 20) }, 20_000],
  ['milliseconds since 1970', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS + 500) }, 500],
  ['a time since 1970 that has passed', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1000000000' }, 0],
  ['a date', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'Mon, 04 May 2026 12:01:00 GMT' }, 60_000],
  ['a count that is none', 200, { 'x-ratelimit-remaining': 'none', 'x-ratelimit-reset': '45' }, undefined],
  ['a negative count', 200, { 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset': '45' }, undefined],
  ['a negative time', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '-45' }, undefined],
  ['a quota used up without a time', 200, { 'x-ratelimit-remaining': '0' }, undefined],
  ['nonsense', 200, { ratelimit: ';;=,"', 'ratelimit-remaining': '', 'x-ratelimit-reset': '=' }, undefined],
]

void t.test('readHoldOffMs', async (t) => {
  for (const [why, status, headers, ms] of ROWS) t.equal(readHoldOffMs({ status, headers }, NOW_MS), ms, why)

  await t.test('answers nothing or a time that is no less than none, whatever comes', async (t) => {
    const value = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom('0', '"a";r=0;t=9', '1e9', 'NaN', '-0'))
    const names = ['retry-after', 'ratelimit', 'ratelimit-remaining', 'ratelimit-reset', 'x-ratelimit-remaining']
    const headers = fc.dictionary(fc.constantFrom(...names, 'x-ratelimit-reset'), value)
    holds(
      t,
      fc.property(fc.constantFrom(200, 429, 503), headers, (status, some) => {
        const ms = readHoldOffMs({ status, headers: some }, NOW_MS)
        return ms === undefined || (ms >= 0 && !Number.isNaN(ms))
      }),
    )
  })
})
