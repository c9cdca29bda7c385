import t from 'tap'
import { addConnectionRow, failDispatch, openTestDb, storeDispatch } from '../ops/ops-fixture.ts'
import { runProgram } from './run-program.ts'

void t.test('npm run replay', async (t) => {
  const { db, url } = await openTestDb(t)
  await addConnectionRow(db)
  const run = (...args: string[]) => runProgram(t, 'replay', args, { DATABASE_URL: url })
  const fail = async (activity: string) => {
    const id = await storeDispatch(db, activity)
    await failDispatch(db, id)
    return id
  }
  const stateOf = async (id: string) =>
    (await db.selectFrom('dispatches').select('state').where('id', '=', id).executeTakeFirstOrThrow()).state

  await t.test('--dry-run says what would happen and changes nothing', async (t) => {
    const id = await fail('a1')

    const end = await run(id, '--reason', 'looking', '--dry-run')

    t.equal(end.code, 0)
    t.match(end.stdout, /failed -> received/)
    t.match(end.stdout, /1 of 1 would be due/)
    t.equal(await stateOf(id), 'failed')
  })

  await t.test('makes each dispatch due and writes down who and why', async (t) => {
    const ids = [await fail('b1'), await fail('b2')]

    const end = await run(...ids, '--reason', 'provider is back')

    t.equal(end.code, 0)
    t.match(end.stdout, /2 of 2 are due/)
    for (const id of ids) t.equal(await stateOf(id), 'received')
    const entries = await db.selectFrom('audit_log').selectAll().where('target', 'in', ids).execute()
    t.match(entries, [
      { action: 'dispatch.replayed', actor: /^shell:/, reason: 'provider is back' },
      { action: 'dispatch.replayed', actor: /^shell:/, reason: 'provider is back' },
    ])
  })

  await t.test('goes on after one that is refused, and exits 1', async (t) => {
    const id = await fail('c1')

    const end = await run('nonsense', id, '--reason', 'why', '--json')

    t.equal(end.code, 1)
    t.match(JSON.parse(end.stdout), [
      { id: 'nonsense', code: 'RCV_DISPATCH_NOT_FOUND' },
      { id, stateAfter: 'received', idempotencyKey: id, isSameKey: true },
    ])
    t.equal(await stateOf(id), 'received')
  })

  await t.test('says where the database was looked for when it is not there', async (t) => {
    const settings = { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/nothing' }

    const end = await runProgram(t, 'replay', ['x', '--reason', 'why'], settings)

    t.equal(end.code, 1)
    t.match(end.stderr, /the database at 127\.0\.0\.1:1\/nothing cannot be used/)
    t.notMatch(end.stderr, /secret|^ +at /m)
  })
})
