import { seededBytes } from '../support/seeded-bytes.ts'

/** How long a run is, and from which number everything random in it grows. */
export interface Settings {
  readonly seed: number
  /** A handful of each fault instead of hundreds. */
  readonly short: boolean
  /** Sudden ends of a server on each database; null: as many as the length of the run asks. */
  readonly kills: number | null
}

export const DEFAULT_SEED = 2017

/** What run.ts (or test/run.ts) put into the environment; alone, Vitest makes a short run. */
export const settings: Settings = {
  seed: Number(process.env['LANTIAN_FAULTS_SEED'] ?? DEFAULT_SEED),
  short: process.env['LANTIAN_FAULTS_LENGTH'] !== 'full',
  kills: process.env['LANTIAN_FAULTS_KILLS'] ? Number(process.env['LANTIAN_FAULTS_KILLS']) : null,
}

/** Chance that can be had again: the same seed throws the same. */
export interface Dice {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number
  oneOf<T>(list: readonly T[]): T
  bytes(length: number): Uint8Array<ArrayBuffer>
}

/** @param name tells apart the dice of one run, so that one more throw here changes nothing there */
export function createDice(name: string, seed = settings.seed): Dice {
  const mixed = [...`${seed}/${name}`].reduce((sum, sign) => Math.imul(sum, 31) + sign.charCodeAt(0), 7)
  const bytes = seededBytes(mixed)
  const below = (limit: number): number => Buffer.from(bytes(4)).readUInt32LE() % limit
  return {
    below,
    oneOf: (list) => {
      const chosen = list[below(list.length)]
      if (chosen === undefined) throw new Error('nothing to choose from')
      return chosen
    },
    bytes,
  }
}
