// Runs a command as a person would: its own process, the settings from the environment, what it prints and its exit code.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { REQUIRE_NODE } from '../support/service-process.ts'

export interface ProgramEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `src/commands/<name>.ts` with these arguments and nothing but these settings; resolves when it has ended. */
export async function runProgram(
  t: Test,
  name: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<ProgramEnd> {
  const program = fileURLToPath(new URL(`../../src/commands/${name}.ts`, import.meta.url))
  // A folder of its own, so that no .env of the checkout is read.
  const cwd = await mkdtemp(join(tmpdir(), 'receiver-command-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  const child = spawn(process.execPath, ['-r', REQUIRE_NODE, program, ...args], {
    cwd,
    env: { ...settings, NO_COLOR: '1' },
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code, stdout, stderr }
}
