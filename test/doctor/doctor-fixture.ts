// A connection of the environment between both stand-ins, and what the doctor says of it.
import type { Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { openExaminedAdapter } from '../../src/commands/open-examined-adapter.ts'
import { examineConnection } from '../../src/doctor/connection-checks.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { readEnvironmentSubject } from '../../src/doctor/subject.ts'
import type { Subject } from '../../src/doctor/subject.ts'
import { createHttpClient } from '../../src/http-client.ts'
import type { Db } from '../../src/store/database.ts'
import { systemClock } from '../../src/time.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { openStage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'

export const PUBLIC_URL = 'https://receiver.example.com'

/** Findings by what was checked. */
export type Findings = ReadonlyMap<string, Finding>

export interface DoctorFixture {
  readonly stage: Stage
  readonly db: Db
  /** Examines the connection with these settings over those of the stage; an empty one is as if it were not set. */
  examine(settings?: Readonly<Record<string, string>>, overrides?: Partial<Subject>): Promise<Findings>
}

/** Opens both stand-ins and a database; Reten is told to push to PUBLIC_URL. */
export async function openDoctor(t: Test): Promise<DoctorFixture> {
  const { db, url } = await openTestDatabase(t)
  const stage = await openStage(t, { databaseUrl: url })
  stage.connect(PUBLIC_URL)
  const http = createHttpClient()
  t.teardown(() => http.close())
  return {
    stage,
    db,
    examine: async (settings = {}, overrides = {}) => {
      const config = loadConfig({ ...stage.settings, ...settings })
      const connection = readEnvironmentSubject(config, undefined)
      if (connection === undefined) throw new RangeError('the settings describe no connection')
      const clock = systemClock
      const subject = { connection, config, db, http, clock, openAdapter: openExaminedAdapter, publicUrl: undefined }
      return byCheck(await examineConnection({ ...subject, ...overrides }))
    },
  }
}

/** Findings by their check. */
export function byCheck(findings: readonly Finding[]): Findings {
  return new Map(findings.map((finding) => [finding.check, finding]))
}
