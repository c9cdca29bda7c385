/** Something a draw can be named by. */
export type DrawKey = string | number

/**
 * Randomness without a sequence: a draw depends on the seed and on what it is drawn for, never on how many draws came
 * before. Concurrent requests can therefore arrive in any order and a run with the same seed still decides alike.
 */
export interface SeededRandom {
  /** A number in [0, 1). */
  fraction(...key: readonly DrawKey[]): number
  /** A whole number in [min, max]. */
  between(min: number, max: number, ...key: readonly DrawKey[]): number
  /** One element; throws a RangeError for an empty list. */
  pick<T>(list: readonly T[], ...key: readonly DrawKey[]): T
  /** A UUID of version 4. */
  uuid(...key: readonly DrawKey[]): string
  /** Lower-case hex digits. */
  hex(length: number, ...key: readonly DrawKey[]): string
}

/** Makes a source of draws; equal seeds give equal draws. */
export const createSeededRandom = (seed: DrawKey): SeededRandom => {
  const fraction = (...key: readonly DrawKey[]): number => hash32(`${seed}\n${key.join('\n')}`) / 2 ** 32

  const hex = (length: number, ...key: readonly DrawKey[]): string => {
    let digits = ''
    for (let part = 0; digits.length < length; part += 1) {
      digits += hash32(`${seed}\n${key.join('\n')}\n#${part}`)
        .toString(16)
        .padStart(8, '0')
    }
    return digits.slice(0, length)
  }

  const pick = <T>(list: readonly T[], ...key: readonly DrawKey[]): T => {
    const found = list[Math.floor(fraction(...key) * list.length)]
    if (found === undefined) throw new RangeError(`nothing to pick from for ${key.join('/')}`)
    return found
  }

  return {
    fraction,
    hex,
    pick,
    between: (min, max, ...key) => min + Math.floor(fraction(...key) * (max - min + 1)),
    uuid: (...key) => {
      const digits = hex(32, ...key)
      const variant = '89ab'.charAt(Number.parseInt(digits.charAt(16), 16) % 4)
      return [
        digits.slice(0, 8),
        digits.slice(8, 12),
        `4${digits.slice(13, 16)}`,
        `${variant}${digits.slice(17, 20)}`,
        digits.slice(20, 32),
      ].join('-')
    },
  }
}

// FNV-1a, then the finalizer of MurmurHash3: FNV alone leaves the last characters in the low bits, and the keys here
// differ mostly in their last characters.
const hash32 = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
