import { openGrant } from '../../src/sealing/department-keys.ts'
import { openPart } from '../../src/sealing/envelope.ts'
import { unwrapTipKey } from '../../src/sealing/tip-keys.ts'
import type { Deps } from '../../src/services/ports.ts'
import { createTipWraps } from '../../src/services/tip-wraps.ts'
import { createWrapLocks } from '../../src/services/wrap-locks.ts'

/** Opens what is sealed as a department would, with the key that the escrow holds for it. */
export interface Opener {
  /** What a tip says. */
  openNarrative(tipId: string, department: string): Promise<Record<string, unknown>>
  /** A tip's secret, out of the wrap for a department. */
  tipIdentity(tipId: string, department: string): Promise<string>
  /** A photo's bytes. */
  openPhoto(
    tipId: string,
    department: string,
    purpose: 'tip.photo' | 'tip.original',
    part: number,
  ): Promise<Uint8Array>
}

export function createOpener({
  deps,
  escrowIdentity,
}: {
  readonly deps: Pick<Deps, 'db' | 'files' | 'random' | 'shredKeys'>
  readonly escrowIdentity: string
}): Opener {
  const { db, files } = deps
  const tipWraps = createTipWraps(db, createWrapLocks(deps))
  // Neither changes while a test looks.
  const departmentKeys = new Map<string, Promise<string>>()
  const tipKeys = new Map<string, Promise<string>>()
  const remembered = (known: Map<string, Promise<string>>, key: string, open: () => Promise<string>) => {
    const value = known.get(key) ?? open()
    known.set(key, value)
    return value
  }

  async function departmentIdentity(department: string, epoch: number): Promise<string> {
    const grant = await db
      .selectFrom('key_grant')
      .select('wrapped')
      .where('department_id', '=', department)
      .where('epoch', '=', epoch)
      .where('member_id', 'is', null)
      .executeTakeFirstOrThrow()
    return openGrant({ department, epoch }, grant.wrapped, escrowIdentity)
  }

  async function unwrapped(tip: string, department: string): Promise<string> {
    const wrap = (await tipWraps.of([tip])).find((one) => one.department === department)
    if (!wrap) throw new Error('nothing that this department opens')
    const { epoch, wrapped } = wrap
    const identity = await remembered(departmentKeys, `${department} ${epoch}`, () =>
      departmentIdentity(department, epoch),
    )
    return unwrapTipKey({ tip, department, epoch }, wrapped, identity)
  }

  const tipIdentity = (tip: string, department: string): Promise<string> =>
    remembered(tipKeys, `${tip} ${department}`, () => unwrapped(tip, department))

  return {
    tipIdentity,

    async openNarrative(tipId, department) {
      const part = await db
        .selectFrom('tip_part')
        .selectAll()
        .where('tip_id', '=', tipId)
        .where('purpose', '=', 'tip.narrative')
        .executeTakeFirstOrThrow()
      const bytes = await openPart({
        identity: await tipIdentity(tipId, department),
        tip: tipId,
        part: 0,
        purpose: 'tip.narrative',
        sealed: part.sealed ?? new Uint8Array(),
      })
      return JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>
    },

    async openPhoto(tipId, department, purpose, part) {
      const row = await db
        .selectFrom('tip_part')
        .selectAll()
        .where('tip_id', '=', tipId)
        .where('purpose', '=', purpose)
        .where('part', '=', part)
        .executeTakeFirstOrThrow()
      const sealed = await files.get(row.blob_key ?? '')
      if (!sealed) throw new Error('the row names a blob that is not there')
      return openPart({ identity: await tipIdentity(tipId, department), tip: tipId, part, purpose, sealed })
    },
  }
}
