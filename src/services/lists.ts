import { createListDecisions } from './lists/deciding.ts'
import { readableLists, rightsOf } from './lists/kind.ts'
import { createListProposals } from './lists/proposals.ts'
import { createListProposing } from './lists/proposing.ts'
import { createListReading } from './lists/reading.ts'
import type { Deps } from './ports.ts'

export type { ListStaff } from './lists/kind.ts'
export type { ProposalSummary, ProposalView } from './lists/proposals.ts'
export type { EntryCells, ListChange } from './lists/proposing.ts'
export type { EntryPage, ListFacets, NewestEntry } from './lists/reading.ts'

/** The lists of the plan: read by everybody, changed by two people, never edited in place. */
export function createLists(deps: Pick<Deps, 'db' | 'clock' | 'random' | 'plan' | 'versions'>) {
  return {
    rights: rightsOf,
    readable: readableLists,
    ...createListReading(deps),
    ...createListProposing(deps),
    ...createListProposals(deps),
    ...createListDecisions(deps),
  }
}

export type Lists = ReturnType<typeof createLists>
