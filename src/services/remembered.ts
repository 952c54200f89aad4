import type { Day } from '../domain/day.ts'
import type { DataVersions, Scope } from './versions.ts'

/**
 * Remembers what costs a walk through a whole table until data of the scope changes or the day turns. Those who ask
 * while it is being read wait for the same reading.
 */
export function remembered<T>(
  versions: DataVersions,
  scope: Scope,
  read: (day: Day) => Promise<T>,
): (day: Day) => Promise<T> {
  let held: { readonly key: string; readonly value: Promise<T> } | null = null
  return async (day) => {
    const key = `${await versions.of(scope)} ${day}`
    if (held?.key === key) return held.value
    const value = read(day)
    held = { key, value }
    value.catch(() => {
      if (held?.value === value) held = null
    })
    return value
  }
}
