import t from 'tap'
import { readRetryAfterMs } from '../src/retry-after.ts'

const NOW_MS = Date.parse('2026-05-04T12:00:00.000Z')
const LONGEST_MS = 366 * 86_400_000

t.test('readRetryAfterMs', async (t) => {
  const readings: readonly (readonly [value: string | undefined, ms: number | undefined, why: string])[] = [
    ['7', 7_000, 'seconds'],
    [' 7 ', 7_000, 'seconds with spaces around'],
    ['0', 0, 'at once'],
    ['5, 30,7', 30_000, 'several headers'],
    ['5, Mon, 04 May 2026 12:00:30 GMT', undefined, 'several headers of different kinds'],
    ['Mon, 04 May 2026 12:00:30 GMT, Mon, 04 May 2026 12:00:50 GMT', undefined, 'several dates'],
    ['9'.repeat(400), LONGEST_MS, 'more digits than a number holds'],
    ['Mon, 04 May 2026 12:00:30 GMT', 30_000, 'a date'],
    ['Monday, 04-May-26 12:00:30 GMT', 30_000, 'a date of RFC 850'],
    ['Mon May  4 12:00:30 2026', 30_000, 'a date of asctime, in GMT'],
    ['Mon, 04 May 2026 11:59:30 GMT', 0, 'a date that has passed'],
    ['Mon, 04 May 2099 12:00:00 GMT', LONGEST_MS, 'a date far away'],
    ['-5', undefined, 'a negative number'],
    ['1.5', undefined, 'a fraction'],
    ['soon', undefined, 'a word'],
    ['Mon, 99 Foo 2026', undefined, 'a date that is none'],
    ['2026-05-04T12:00:30Z', undefined, 'a date of another kind'],
    ['', undefined, 'nothing'],
    [undefined, undefined, 'no header'],
  ]
  for (const [value, ms, why] of readings) t.equal(readRetryAfterMs(value, NOW_MS), ms, why)
})
