import type { ListKind } from '../list.ts'
import { DUST_BLACKLIST } from './dust-blacklist.ts'
import { NON_COMPLIANT } from './non-compliant.ts'

/** Every list that is published, in the order of the home page. A new kind is one file and one line here. */
export const LIST_KINDS: readonly ListKind[] = [NON_COMPLIANT, DUST_BLACKLIST]

/** The kind with this id; undefined when there is none. */
export function listKind(id: string): ListKind | undefined {
  return LIST_KINDS.find((kind) => kind.id === id)
}
