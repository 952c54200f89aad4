import { sql, type Insertable, type Selectable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Db, Tx } from './connect.ts'
import type { CaseNoteTable, PublicCaseTable, TipPartTable, TipTable } from './tables.ts'

export type NewPublicCase = Insertable<PublicCaseTable>

/** Everything one filing writes. */
export interface NewTip {
  readonly filing: { readonly keyHash: Buffer; readonly requestHash: Buffer; readonly reply: Buffer }
  readonly caseId: string
  readonly caseNo: string
  readonly day: Day
  readonly category: string
  readonly answer: string | null
  readonly area: string
  readonly when: string
  readonly urgency: string
  readonly accused: string | null
  readonly holder: string
  readonly coDepartments: readonly string[]
  readonly rule: string
  readonly measureRefs: readonly string[]
  readonly derived: boolean
  readonly lane: 'normal' | 'unverified'
  readonly acceptDue: Day | null
  readonly concludeDue: Day | null
  readonly dueCount: number
  readonly dueUnit: 'working' | 'calendar'
  readonly tip: {
    readonly id: string
    readonly lookup: Buffer
    readonly reporterRecipient: string
    readonly recipient: string
    readonly recipientMac: string | null
    readonly callback: boolean
    readonly photoCount: number
    /** What its wraps are locked under. */
    readonly slot: number
    readonly sealedBy: 'server' | 'browser'
    readonly claimPin: Buffer | null
  }
  readonly parts: readonly {
    readonly purpose: string
    readonly part: number
    readonly sealed: Buffer | null
    readonly blobKey: string | null
  }[]
  readonly wraps: readonly { readonly department: string; readonly epoch: number; readonly wrapped: Buffer }[]
  /** Who a named reporter is. */
  readonly identity?: {
    readonly recipient: string
    /** Locked under the slot. */
    readonly sealed: Uint8Array
    readonly slot: number
    readonly keeper: string
    readonly keeperEpoch: number
    readonly approverEpoch: number
    readonly wrapped: Uint8Array
  } | null
  /** The ledger's row, invisible until its day. */
  readonly ledger: NewPublicCase
  /** The draft it was made from, and what it must still be (SHA-256 of its sealed bytes). */
  readonly draft: { readonly id: string; readonly digest: Buffer | null } | null
  /** A proof of the bot gate that this filing uses up, by hash and last day. */
  readonly spend: { readonly hash: Buffer; readonly day: Day } | null
  /** Uploads whose blobs the parts name, by their hash: all of them must be there, and are gone afterwards. */
  readonly uploads: readonly Buffer[]
}

const UNIQUE_VIOLATION = '23505'
/** Where a case number that exists may be noticed first: the parts of one statement have no order. */
const CASE_NO_KEYS = new Set(['case_file_case_no_key', 'public_case_pkey', 'notice_pkey'])
/** The same of a tip that exists, or of its code: browsers make both. */
const TIP_KEYS = new Set([
  'tip_pkey',
  'tip_lookup_key',
  'tip_part_pkey',
  'tip_wrap_pkey',
  'two_layer_part_pkey',
])

/**
 * Writes tip, case, route, deadlines, events, the ledger's row and the notice in one statement, so that a filing is
 * one round trip and can never be half there. `repeated`: the key, or the proof, was used by an earlier or a
 * simultaneous filing (which is waited for); `draft-changed`: draft or uploads are not there as they were; `number-taken`: the
 * case number exists; `tip-taken`: the tip or its code does. In none of them is a tip written.
 */
export async function insertTip(
  db: Db,
  tip: NewTip,
): Promise<'stored' | 'repeated' | 'draft-changed' | 'number-taken' | 'tip-taken'> {
  const columns = <T, V>(items: readonly T[], pick: (item: T) => V): V[] => items.map(pick)
  const events = JSON.stringify({ rule: tip.rule, department: tip.holder })
  const draftId = tip.draft?.id ?? null
  const identity = tip.identity ?? null
  const bytesOf = (bytes: Uint8Array | undefined): Buffer | null => (bytes ? Buffer.from(bytes) : null)
  const draftDigest = tip.draft?.digest ?? null
  try {
    const { rows } = await sql<{ stored: number; ready: number }>`
      with draft_as_read as (
        select from draft
        where id = ${draftId}::uuid and (${draftDigest}::bytea is null or sha256(sealed) = ${draftDigest}::bytea)
        for update
      ), uploads as (
        select id_hash from upload where id_hash = any(${[...tip.uploads]}::bytea[]) and received = size for update
      ), ready as (
        select where (${draftId}::uuid is null or exists (select from draft_as_read))
          and (select count(*) from uploads) = ${tip.uploads.length}::int
      ), spent as (
        insert into spent_proof (hash, day)
        select p.hash, p.day
        from ready, (values (${tip.spend?.hash ?? null}::bytea, ${tip.spend?.day ?? null}::date)) as p (hash, day)
        where p.hash is not null
        on conflict (hash) do nothing returning 1
      ), accepted as (
        insert into filing (key_hash, request_hash, reply, case_no, day)
        select ${tip.filing.keyHash}::bytea, ${tip.filing.requestHash}::bytea, ${tip.filing.reply}::bytea, ${tip.caseNo},
          ${tip.day}::date
        from ready
        where ${tip.spend === null}::boolean or exists (select from spent)
        on conflict (key_hash) do nothing returning 1
      ), new_case as (
        insert into case_file (id, case_no, category_id, answer, area_id, when_bucket, urgency, accused_department_id,
          holder_id, co_departments, rule_id, measure_refs, derived, state, lane, received_day, accept_due, conclude_due,
          due_count, due_unit)
        select ${tip.caseId}::uuid, ${tip.caseNo}, ${tip.category}, ${tip.answer}, ${tip.area}, ${tip.when}, ${tip.urgency},
          ${tip.accused}, ${tip.holder}, ${[...tip.coDepartments]}::text[], ${tip.rule}, ${[...tip.measureRefs]}::text[],
          ${tip.derived}::boolean, 'routed', ${tip.lane}, ${tip.day}::date, ${tip.acceptDue}::date,
          ${tip.concludeDue}::date, ${tip.dueCount}::int, ${tip.dueUnit}
        from accepted
      ), new_tip as (
        insert into tip (id, case_id, ordinal, day, lookup, reporter_recipient, recipient, recipient_mac, callback, photo_count,
          sealed_by, slot, claim_pin, named)
        select ${tip.tip.id}::uuid, ${tip.caseId}::uuid, 1, ${tip.day}::date, ${tip.tip.lookup}, ${tip.tip.reporterRecipient},
          ${tip.tip.recipient}, ${tip.tip.recipientMac}::text, ${tip.tip.callback}::boolean, ${tip.tip.photoCount}::int, ${tip.tip.sealedBy},
          ${tip.tip.slot}::bigint, ${tip.tip.claimPin}::bytea, ${identity !== null}::boolean
        from accepted
      ), new_parts as (
        insert into tip_part (tip_id, purpose, part, sealed, blob_key)
        select ${tip.tip.id}::uuid, p.purpose, p.part, p.sealed, p.blob_key
        from accepted, unnest(
          ${columns(tip.parts, (part) => part.purpose)}::text[], ${columns(tip.parts, (part) => part.part)}::int[],
          ${columns(tip.parts, (part) => part.sealed)}::bytea[], ${columns(tip.parts, (part) => part.blobKey)}::text[]
        ) as p (purpose, part, sealed, blob_key)
      ), new_identity as (
        insert into two_layer_part (tip_id, purpose, recipient, sealed, slot, keeper, keeper_epoch, approver_epoch, wrapped)
        select ${tip.tip.id}::uuid, 'tip.identity', ${identity?.recipient ?? null}, ${bytesOf(identity?.sealed)}::bytea,
          ${identity?.slot ?? null}::bigint,
          ${identity?.keeper ?? null}, ${identity?.keeperEpoch ?? null}::int, ${identity?.approverEpoch ?? null}::int,
          ${bytesOf(identity?.wrapped)}::bytea
        from accepted where ${identity !== null}::boolean
      ), new_wraps as (
        insert into tip_wrap (tip_id, department_id, epoch, wrapped)
        select ${tip.tip.id}::uuid, w.department_id, w.epoch, w.wrapped
        from accepted, unnest(
          ${columns(tip.wraps, (wrap) => wrap.department)}::text[], ${columns(tip.wraps, (wrap) => wrap.epoch)}::int[],
          ${columns(tip.wraps, (wrap) => wrap.wrapped)}::bytea[]
        ) as w (department_id, epoch, wrapped)
      ), new_events as (
        insert into case_event (case_id, ordinal, day, role, action, from_state, to_state, data)
        select ${tip.caseId}::uuid, e.ordinal, ${tip.day}::date, e.role, e.action, e.from_state, e.to_state, e.data::jsonb
        from accepted, (values
          (1, 'reporter', 'receive', null, 'received', '{}'),
          (2, 'system', 'route', 'received', 'routed', ${events}::text)
        ) as e (ordinal, role, action, from_state, to_state, data)
      ), new_public as (
        insert into public_case (case_no, visible_from, holder_id, received_week, due_week, due_text, overdue_from,
          hand_overs, state, category_id, group_id, area_id, measure_refs, proof)
        select ${tip.caseNo}, ${tip.ledger.visible_from}::date, ${tip.ledger.holder_id},
          ${tip.ledger.received_week}::date, ${tip.ledger.due_week}::date, ${tip.ledger.due_text},
          ${tip.ledger.overdue_from}::date, 0, ${tip.ledger.state}, ${tip.ledger.category_id}, ${tip.ledger.group_id},
          ${tip.ledger.area_id}, ${tip.ledger.measure_refs}::text[], '[]'::jsonb
        from accepted
      ), new_notice as (
        insert into notice (department_id, case_no, kind, day)
        select ${tip.holder}, ${tip.caseNo}, 'arrival', ${tip.day}::date from accepted
      ), spent_blobs as (
        delete from draft_blob where draft_id = ${draftId}::uuid and exists (select from accepted)
      ), spent_uploads as (
        delete from upload where id_hash in (select id_hash from uploads) and exists (select from accepted)
      ), spent_draft as (
        delete from draft where id = ${draftId}::uuid and exists (select from accepted)
      )
      select (select count(*) from accepted)::int as stored, (select count(*) from ready)::int as ready
    `.execute(db)
    if (rows[0]?.ready === 0) return 'draft-changed'
    return rows[0]?.stored === 1 ? 'stored' : 'repeated'
  } catch (error) {
    const { code, constraint } = error as { code?: string; constraint?: string }
    if (code === UNIQUE_VIOLATION && CASE_NO_KEYS.has(constraint ?? '')) return 'number-taken'
    if (code === UNIQUE_VIOLATION && TIP_KEYS.has(constraint ?? '')) return 'tip-taken'
    throw error
  }
}

const tipsIn = (db: Db | Tx, caseId: string) =>
  db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .where((eb) => eb.or([eb('case_file.id', '=', caseId), eb('case_file.attached_to', '=', caseId)]))
    .orderBy('tip.day')
    .orderBy('tip.id')

/** A case's tips: its own, and those of the cases folded into it, each with the number of its own case. */
export async function tipsOf(
  db: Db,
  caseId: string,
): Promise<(Selectable<TipTable> & { case_no: string })[]> {
  return tipsIn(db, caseId).selectAll('tip').select('case_file.case_no').execute()
}

/** Ids of {@link tipsOf}. */
export async function tipIdsOf(db: Db | Tx, caseId: string): Promise<string[]> {
  const rows = await tipsIn(db, caseId).select('tip.id').execute()
  return rows.map((row) => row.id)
}

/** Ids of {@link tipsOf} whose content is not destroyed. */
export async function liveTipIdsOf(tx: Tx, caseId: string): Promise<string[]> {
  const rows = await tipsIn(tx, caseId).select('tip.id').where('tip.destroyed_day', 'is', null).execute()
  return rows.map((row) => row.id)
}

/** What a queue tells of a case's tips without opening them. */
export interface TipTotals {
  readonly photos: number
  /** Somebody asks to be called back. */
  readonly callback: boolean
  readonly count: number
}

/** Totals over {@link tipsOf} for each of many cases; a case without tips is missing. */
export async function tipTotals(db: Db, caseIds: readonly string[]): Promise<Map<string, TipTotals>> {
  if (caseIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select((eb) => [
      // Not "id": GROUP BY would take that for a column of either table.
      eb.fn.coalesce('case_file.attached_to', 'case_file.id').as('whole'),
      eb.fn.sum<number>('tip.photo_count').as('photos'),
      eb.fn<boolean>('bool_or', ['tip.callback']).as('callback'),
      eb.fn.countAll<number>().as('count'),
    ])
    .where((eb) => eb.or([eb('case_file.id', 'in', caseIds), eb('case_file.attached_to', 'in', caseIds)]))
    .groupBy('whole')
    .execute()
  return new Map(
    rows.map((row) => [row.whole, { photos: Number(row.photos), callback: row.callback, count: row.count }]),
  )
}

export type TipPartRow = Selectable<TipPartTable>

/** Every sealed part of a tip. */
export async function allPartsOf(db: Db, tipId: string): Promise<TipPartRow[]> {
  return db
    .selectFrom('tip_part')
    .selectAll()
    .where('tip_id', '=', tipId)
    .orderBy('purpose')
    .orderBy('part')
    .execute()
}

export async function narrativesOf(db: Db, tipIds: readonly string[]): Promise<TipPartRow[]> {
  return db
    .selectFrom('tip_part')
    .selectAll()
    .where('tip_id', 'in', tipIds)
    .where('purpose', '=', 'tip.narrative')
    .execute()
}

/** The photos of some tips by their numbers, in the order they were added. */
export async function photoPartsOf(
  db: Db,
  tipIds: readonly string[],
): Promise<Pick<TipPartRow, 'tip_id' | 'part'>[]> {
  return db
    .selectFrom('tip_part')
    .select(['tip_id', 'part'])
    .where('tip_id', 'in', tipIds)
    .where('purpose', '=', 'tip.photo')
    .orderBy('part')
    .execute()
}

/** Where the sealed bytes of a photo are kept; null when the tip has no such part. */
export async function partBlobKey(
  db: Db,
  tipId: string,
  purpose: 'tip.photo' | 'tip.original',
  part: number,
): Promise<string | null> {
  const row = await db
    .selectFrom('tip_part')
    .select('blob_key')
    .where('tip_id', '=', tipId)
    .where('purpose', '=', purpose)
    .where('part', '=', part)
    .executeTakeFirst()
  return row?.blob_key ?? null
}

/** A sealed note with the name of its author. */
export type NoteRow = Selectable<CaseNoteTable> & { display_name: string }

/** The notes on some tips, oldest first. */
export async function notesOf(db: Db, tipIds: readonly string[]): Promise<NoteRow[]> {
  return db
    .selectFrom('case_note')
    .innerJoin('member', 'member.id', 'case_note.author_id')
    .selectAll('case_note')
    .select('member.display_name')
    .where('case_note.tip_id', 'in', tipIds)
    .orderBy('case_note.at')
    .execute()
}

export async function insertNote(tx: Tx, note: Insertable<CaseNoteTable>): Promise<void> {
  await tx.insertInto('case_note').values(note).execute()
}
