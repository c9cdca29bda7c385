import { readText } from '../../http-answer.ts'

/** As long as the webhook's body allows one; a longer text is no id and could never be matched. */
const LONGEST_TASK_ID = 200

/** The first of `names` in a provider's answer that holds an id (a string or a number), as a string. */
export function readTaskId(record: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const id = readText(record[name])
    if (id !== undefined && id.length <= LONGEST_TASK_ID) return id
  }
  return undefined
}
