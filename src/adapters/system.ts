import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock, Random } from '../services/ports.ts'

export const systemClock: Clock = { now: () => new Date() }

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  uuid: () => randomUUID(),
}
