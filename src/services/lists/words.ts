import { SUBJECT_KIND_NAMES, type EntryData } from '../../domain/list.ts'
import type { PlanSnapshot } from '../plan-store.ts'

/** A department's printed name, or the name of an authority outside the plan as it is. */
export function authorityName(snapshot: PlanSnapshot, authority: string): string {
  return snapshot.departments.get(authority)?.name ?? authority
}

/** Entry data in words: departments and kinds of subject by name. */
export function shownData(snapshot: PlanSnapshot, data: EntryData): EntryData {
  return {
    ...data,
    authority: authorityName(snapshot, data.authority),
    // A word instead of the code; the type only knows codes.
    subjectKind: SUBJECT_KIND_NAMES[data.subjectKind] as EntryData['subjectKind'],
  }
}

/** An authority written by any of a department's names becomes that department. */
export function withAuthority(snapshot: PlanSnapshot, data: EntryData): EntryData {
  const written = data.authority
  const found = snapshot.plan.departments.find(({ id, name, fullName }) =>
    [id, name, fullName].includes(written),
  )
  return found ? { ...data, authority: found.id } : data
}
