import { readText } from '../../http-answer.ts'

/** As long as the webhook's body allows one; a longer text is no id and could never be matched. */
const LONGEST_TASK_ID = 200

/** Control characters, and what stands for bytes that are no text: an id that holds one could be neither shown nor matched. */
const UNUSABLE = /[\p{Cc}\u{FFFD}]/u

/**
 * The first of `names` in a provider's answer that holds an id (a string or a number), as a string. What is no usable id (an
 * object, nothing, too long, with control characters) is passed over: it does not undo what was accepted.
 */
export function readTaskId(record: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const id = readText(record[name])
    if (id !== undefined && id.length <= LONGEST_TASK_ID && !UNUSABLE.test(id)) return id
  }
  return undefined
}
