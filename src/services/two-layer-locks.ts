import type { TwoLayerAddress } from '../sealing/two-layer.ts'
import type { WrapLocks } from './wrap-locks.ts'

/** What was locked, and under which slot: destroying its key destroys this alone. */
export interface LockedLayers {
  readonly sealed: Buffer
  readonly slot: number
}

const purposeOf = ({ purpose, tip }: TwoLayerAddress): string => `two-layer:${tip}:${purpose}`

/**
 * Locks a name or an account, sealed as it is, so that no old backup opens it once its slot's key is destroyed,
 * whatever two people bring. Not inside a transaction, see {@link WrapLocks.draw}.
 */
export async function lockLayers(
  locks: WrapLocks,
  address: TwoLayerAddress,
  sealed: Uint8Array,
): Promise<LockedLayers> {
  const fresh = await locks.draw()
  const locked = await locks.lock(fresh, purposeOf(address), sealed)
  if (locked === null) throw new Error('a fresh slot has a key')
  return { sealed: Buffer.from(locked), slot: fresh.slot }
}

/** What {@link lockLayers} locked; null when the key was destroyed. */
export function unlockLayers(
  locks: WrapLocks,
  address: TwoLayerAddress,
  { sealed, slot }: { readonly sealed: Uint8Array; readonly slot: number },
): Promise<Uint8Array | null> {
  return locks.unlock(slot, purposeOf(address), sealed)
}
