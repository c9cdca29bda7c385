import t from 'tap'
import { toSubmission } from '../../src/report/to-submission.ts'
import { compileSchema } from '../../src/schemas.ts'
import type { Report } from '../../src/store/load-reports.ts'

const PLAIN = { code: 'SALE_COMPLETED', isOverwriting: false }
const fits = compileSchema('result-submission')

const buildReport = (overrides: Partial<Report> = {}): Report => ({
  resultId: 'r',
  dispatchId: '85f06cc1-ab3b-849e-b6ad-f065a773b2f4',
  activityId: 'A-1',
  commerceId: 'C-1',
  receivedAt: new Date(),
  status: 'EFFECTIVE',
  code: 'SALE_COMPLETED',
  occurredAt: new Date('2026-05-04T15:20:00.000Z'),
  externalStatus: null,
  comment: null,
  contactType: null,
  operatorExternalId: null,
  futureScheduledAt: null,
  source: 'webhook',
  scheduledAt: null,
  heldFor: null,
  announcedBy: [],
  isOverride: false,
  hasTwin: false,
  isOvertaken: false,
  ...overrides,
})

t.test('toSubmission', async (t) => {
  t.test('says what happened, and leaves out what nobody told', async (t) => {
    t.strictSame(toSubmission(buildReport(), PLAIN), {
      activity_id: 'A-1',
      provider_activity_id: '85f06cc1-ab3b-849e-b6ad-f065a773b2f4',
      commerce_external_id: 'C-1',
      occurred_at: '2026-05-04T15:20:00.000Z',
      status: 'EFFECTIVE',
      task_result: { result: 'SALE_COMPLETED' },
    })
  })

  t.test('says all that was told', async (t) => {
    const report = buildReport({
      externalStatus: 'done',
      comment: 'sold',
      contactType: 'OUTBOUND',
      operatorExternalId: 'V-17',
      futureScheduledAt: new Date('2030-01-01T00:00:00.000Z'),
    })

    t.match(toSubmission(report, PLAIN), {
      external_status: 'done',
      task_result: {
        comment: 'sold',
        contact_type: 'OUTBOUND',
        operator_external_id: 'V-17',
        future_scheduled_at: '2030-01-01T00:00:00.000Z',
      },
    })
    t.equal(fits(toSubmission(report, PLAIN)).ok, true)
  })

  t.test('overwrites where it is told to and nowhere else', async (t) => {
    t.equal(toSubmission(buildReport(), { ...PLAIN, isOverwriting: true }).hard_override, true)
    t.notOk('hard_override' in toSubmission(buildReport(), PLAIN))
  })

  t.test('says the code that the tenant has for the provider’s', async (t) => {
    t.match(toSubmission(buildReport(), { ...PLAIN, code: 'success' }), { task_result: { result: 'success' } })
  })
})
