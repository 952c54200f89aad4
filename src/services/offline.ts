import { findCase } from '../db/cases.ts'
import { allPartsOf, notesOf, tipsOf } from '../db/tips.ts'
import { DomainError } from '../domain/errors.ts'
import { normalizeCaseNumber } from '../domain/case-number.ts'
import { recordAudit } from './audit.ts'
import type { Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { TipWraps } from './tip-wraps.ts'

/** One file of a case that was taken out. */
export interface OfflineFile {
  /** Without a folder; letters, digits, dots and dashes. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** A case on a stick: what is sealed stays sealed until Debian's `age` opens it with the escrow key, offline. */
export interface Offline {
  /**
   * The sealed files of a case, the keys that lead to them, and a script that opens them one after the other.
   * @throws {DomainError} `not-found`
   */
  exportCase(caseNo: string): Promise<OfflineFile[]>
}

const SUFFIX = /^tip\./

export function createOffline(
  deps: Pick<Deps, 'db' | 'clock' | 'files'>,
  keys: Keys,
  tipWraps: TipWraps,
): Offline {
  const { db, clock, files } = deps
  return {
    async exportCase(caseNo) {
      const row = await findCase(db, normalizeCaseNumber(caseNo) ?? '')
      if (!row) throw new DomainError('not-found', `no case ${caseNo}`)
      const out: OfflineFile[] = []
      const steps: string[] = []
      const departments = new Map<string, Uint8Array>()
      const tips = await tipsOf(db, row.id)
      const tipIds = tips.map(({ id }) => id)
      const wraps = await tipWraps.of(tipIds)
      const notes = await notesOf(db, tipIds)
      for (const { id, ordinal, case_no: ownNo } of tips) {
        const own = wraps.filter((one) => one.tipId === id)
        const wrap = own.find((one) => one.department === row.holder_id) ?? own[0]
        if (!wrap) continue
        const { department, epoch } = wrap
        const keyFile = `key-${department}-${epoch}.age`
        if (!departments.has(keyFile)) {
          const grant = (await keys.escrowGrants(department)).find((one) => one.epoch === epoch)
          if (!grant) continue
          departments.set(keyFile, grant.wrapped)
          out.push({ name: keyFile, bytes: grant.wrapped })
        }
        const tip = `${ownNo}-${ordinal}`
        out.push({ name: `${tip}-key.age`, bytes: wrap.wrapped })
        steps.push(`secret "$escrow" ${keyFile} "$work/department"`)
        steps.push(`secret "$work/department" ${tip}-key.age "$work/tip"`)
        const add = (name: string, bytes: Uint8Array | null, kind: 'text' | 'picture'): void => {
          if (!bytes) return
          out.push({ name: `${name}.age`, bytes })
          steps.push(`${kind} "$work/tip" ${name}`)
        }
        for (const part of await allPartsOf(db, id)) {
          const purpose = part.purpose.replace(SUFFIX, '')
          const bytes = part.sealed ?? (part.blob_key === null ? null : await files.get(part.blob_key))
          const kind = part.sealed === null ? 'picture' : 'text'
          add(`${tip}-${purpose}${kind === 'picture' ? `-${part.part + 1}` : ''}`, bytes, kind)
        }
        for (const [index, note] of notes.filter((one) => one.tip_id === id).entries()) {
          add(`${tip}-${note.purpose.replace(SUFFIX, '')}-${index + 1}`, note.sealed, 'text')
        }
      }
      out.push({ name: 'open.sh', bytes: Buffer.from(script(row.case_no, steps)) })
      await recordAudit(db, {
        at: clock.now(),
        memberId: null,
        role: 'admin',
        action: 'case.export',
        object: row.case_no,
      })
      return out
    },
  }
}

/** What is inside an age file of ours: a header line, four bytes of length, the content, zeros (sealing/bound.ts). */
const script = (caseNo: string, steps: readonly string[]): string => `#!/bin/sh
# Opens case ${caseNo} with Debian's "age" and the escrow key. Run it offline, in this folder:
#   sh open.sh ESCROW-FILE
# What was opened is put into opened/: texts are JSON or plain, pictures are JPEG files followed by zeros, which viewers
# pass over. The first step that fails ends it.
set -eu
umask 077
escrow=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p opened
# Behind the line that says what it is and four bytes of length lies the content.
content() { age -d -i "$1" -o "$work/plain" "$2"; tail -n +2 "$work/plain" | tail -c +5; }
secret() { content "$1" "$2" >"$work/padded"; tr -d '\\000' <"$work/padded" >"$3"; }
text() { secret "$1" "$2.age" "opened/$2.txt"; }
picture() { content "$1" "$2.age" >"opened/$2.jpg"; }
${steps.join('\n')}
echo "opened/ holds $(ls opened | wc -l) files"
`
