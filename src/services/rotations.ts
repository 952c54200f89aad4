import type { Tx } from '../db/connect.ts'
import {
  countOldLayers,
  currentKey,
  currentKeys,
  holdersOf,
  lockCurrentKey,
  membersFor,
  replaceLayer,
  someOldLayers,
  type Holder,
  type OldWrap,
} from '../db/keys.ts'
import { countOldWraps } from '../db/wraps.ts'
import { dayOf, daysBetween } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { ownerOf, ownersOf, ROLE_OWNERS } from '../domain/roles.ts'
import { isRecipient } from '../sealing/age-identity.ts'
import { openGrant } from '../sealing/department-keys.ts'
import { divideHolders, isVouched } from '../sealing/member-voucher.ts'
import { RecipientListError, verifierOf } from '../sealing/recipient-list.ts'
import {
  makeEpoch,
  rewrap,
  vouch,
  type ListPlace,
  type MemberGrant,
  type Voucher,
} from '../sealing/rotation.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import { isAge } from './cases/wraps.ts'
import { holdingRole, type Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { Recipients } from './recipients.ts'
import type { Sessions } from './sessions.ts'
import type { StaffSession } from './staff.ts'
import type { TipWraps } from './tip-wraps.ts'

/** How things stand with a key that the reader is meant to hold. */
export interface KeyState {
  /** The department, or a role's owner id. */
  readonly departmentId: string
  readonly epoch: number
  /** Since when a newer key is wanted: somebody who held this one has left. */
  readonly replaceSince: Date | null
  /** The reader holds it, so the reader's browser can make the next one. */
  readonly held: boolean
  /** Open tips still under an older key. */
  readonly oldTips: number
}

/** Everything that a browser needs to make the next key. */
export interface Ceremony {
  readonly departmentId: string
  /** Of the key to be made. */
  readonly epoch: number
  /** All who hold the present one; of them {@link divideHolders} says who is given the next. */
  readonly holders: readonly Holder[]
  readonly escrow: string
  /** Where the next entry of the list of recipients goes, for {@link vouch}. */
  readonly place: ListPlace
}

/** What the browser made of it. */
export interface MadeKey {
  /** Whose key; the member's department's unless told. */
  readonly owner?: string | undefined
  readonly epoch: number
  readonly recipient: string
  readonly grants: readonly MemberGrant[]
  readonly escrow: Uint8Array
  /** Signed with the present key. */
  readonly voucher: Voucher
}

/** Open tips to be moved to the newest key. */
export interface RewrapBatch {
  readonly epoch: number
  readonly recipient: string
  readonly tips: readonly OldWrap[]
}

/** A department whose key is to be replaced, for the administrator. */
export interface DueKey {
  readonly departmentId: string
  readonly since: Date
  /** Members who can do it; without any only the escrow can. */
  readonly holders: number
}

/**
 * A department's key in generations. Whoever leaves may have kept a copy of what could be opened, so a newer key is
 * made in the browser of somebody who stays; tips go on being taken under the old one until then (a closed form would
 * let one resignation silence a department), and move over with all open tips once the newer one is there. What is
 * closed stays under the old key, which those who stay still hold. Roles have keys alike; `owner` says whose is meant,
 * the reader's department's unless told. What is in two layers moves with the approvers' key alone: the inner layer
 * cannot be reached without a second person, and needs a copy of the approvers' key besides one of its own.
 */
export interface Rotations {
  /** Null for who reads no cases, and before there are keys. */
  stateFor(reader: Reader, owner?: string): Promise<KeyState | null>
  /** @throws {DomainError} `forbidden` for who does not hold the present key */
  plan(reader: Reader, owner?: string): Promise<Ceremony>
  /**
   * Stores a new key: for whoever makes it, those who hold the present one and were vouched for, and the escrow.
   * @throws {DomainError} `factor-required`, `forbidden`, `invalid-input`, `stale-version` when meanwhile a member came
   *   or went or somebody else was first
   */
  rotate(session: StaffSession, made: MadeKey): Promise<void>
  /** Some of the tips that wait. @throws {DomainError} `forbidden` */
  batch(reader: Reader, owner?: string): Promise<RewrapBatch>
  /** Answers how many still wait. @throws {DomainError} `forbidden`, `invalid-input` */
  rewrap(reader: Reader, wraps: readonly OldWrap[], owner?: string): Promise<number>
  /** @throws {DomainError} `forbidden` */
  due(admin: Reader): Promise<DueKey[]>
  /**
   * The same with the escrow key, for a department in which nobody is left to do it: a key for all members who read
   * cases there and were vouched for. Answers how many tips were moved, and the user names of the other members.
   * @throws {DomainError} `invalid-input` for a secret that is not the escrow's, `not-found`
   */
  rotateFromEscrow(
    escrowIdentity: string,
    departmentId: string,
  ): Promise<{ members: number; leftOut: readonly string[]; tips: number }>
}

const APPROVERS = ownerOf('approver')
// As JSON a batch must fit into one request body.
const BATCH = 40
const MAX_WRAP_BYTES = 4096

const keyOf = ({ tipId, purpose }: OldWrap): string => `${tipId} ${purpose}`

export function createRotations(
  deps: Deps,
  keys: Keys,
  sessions: Sessions,
  recipients: Recipients,
  tipWraps: TipWraps,
): Rotations {
  const { db, clock, random, versions } = deps

  const invalid = (): DomainError => new DomainError('invalid-input', '新的钥匙格式不对，请刷新页面重试。')
  const isWrap = (bytes: Uint8Array): boolean => isAge(bytes) && bytes.length <= MAX_WRAP_BYTES

  async function held(reader: Reader, owner = reader.departmentId) {
    const key = await currentKey(db, owner)
    const holders = key ? await holdersOf(db, owner, key.epoch) : []
    return { key, holders, own: holders.some(({ memberId }) => memberId === reader.memberId) }
  }

  async function mustHold(reader: Reader, owner?: string) {
    const { key, holders, own } = await held(reader, owner)
    if (!key || !own) throw new DomainError('forbidden', '您自己没有现在这把钥匙，不能更换它。')
    return { key, holders }
  }

  const changedMeanwhile = (): DomainError =>
    new DomainError('stale-version', '钥匙或成员刚刚变过，请刷新页面后再换。')

  async function store(
    tx: Tx,
    departmentId: string,
    made: Omit<MadeKey, 'voucher'>,
    by: Reader | null,
  ): Promise<void> {
    const taken = await tx
      .selectFrom('department_key')
      .select('epoch')
      .where('recipient', '=', made.recipient)
      .executeTakeFirst()
    if (taken) throw invalid()
    await tx
      .insertInto('department_key')
      .values({
        department_id: departmentId,
        epoch: made.epoch,
        recipient: made.recipient,
        made_at: clock.now(),
        made_by: by?.memberId ?? null,
        replace_since: null,
      })
      .execute()
    const grants = [
      { member_id: null, wrapped: made.escrow, voucher: null },
      ...made.grants.map(({ memberId, ...grant }) => ({ member_id: memberId, ...grant })),
    ]
    await tx
      .insertInto('key_grant')
      .values(
        grants.map(({ member_id, wrapped, voucher }) => ({
          id: random.uuid(),
          department_id: departmentId,
          epoch: made.epoch,
          member_id,
          voucher,
          wrapped: Buffer.from(wrapped),
          granted_by: by?.memberId ?? null,
        })),
      )
      .execute()
    await recordAudit(tx, {
      at: clock.now(),
      memberId: by?.memberId ?? null,
      role: by ? holdingRole(by.roles, departmentId) : null,
      action: 'key.rotate',
      object: departmentId,
      data: { epoch: made.epoch, recipient: made.recipient },
    })
  }

  // A department's tips; of the roles only the approvers hold something that can be moved without a second person.
  const kindOf = (owner: string): 'layers' | 'none' | 'tips' =>
    owner === APPROVERS ? 'layers' : ROLE_OWNERS.includes(owner) ? 'none' : 'tips'

  async function countOld(owner: string, epoch: number): Promise<number> {
    const kind = kindOf(owner)
    if (kind === 'none') return 0
    return kind === 'layers' ? countOldLayers(db, epoch) : countOldWraps(db, owner, epoch)
  }

  async function oldOf(owner: string, epoch: number): Promise<readonly OldWrap[]> {
    const kind = kindOf(owner)
    if (kind === 'none') return []
    return kind === 'layers' ? someOldLayers(db, epoch, BATCH) : tipWraps.old(owner, epoch, BATCH)
  }

  async function replace(tx: Tx, owner: string, wrap: OldWrap): Promise<boolean> {
    if (kindOf(owner) === 'layers') return replaceLayer(tx, wrap)
    return wrap.purpose === 'tip.key' && tipWraps.replace(tx, { ...wrap, department: owner })
  }

  return {
    async stateFor(reader, owner = reader.departmentId) {
      if (!ownersOf(reader).includes(owner)) return null
      const { key, own } = await held(reader, owner)
      if (!key) return null
      return {
        departmentId: owner,
        epoch: key.epoch,
        replaceSince: key.replace_since,
        held: own,
        // The first generation has none before it: no need to look.
        oldTips: key.epoch === 1 ? 0 : await countOld(owner, key.epoch),
      }
    },

    async plan(reader, owner = reader.departmentId) {
      const { key, holders } = await mustHold(reader, owner)
      return {
        departmentId: owner,
        epoch: key.epoch + 1,
        holders,
        escrow: await keys.escrowRecipient(owner),
        place: { previous: (await recipients.head()).hash, day: dayOf(clock.now()) },
      }
    },

    async rotate(session, made) {
      await sessions.requireRecent(session)
      const { owner = session.departmentId } = made
      await mustHold(session, owner)
      if (
        !isRecipient(made.recipient) ||
        // Midnight may have passed since the browser asked.
        Math.abs(daysBetween(made.voucher.day, dayOf(clock.now()))) > 1 ||
        ![made.escrow, ...made.grants.map((one) => one.wrapped)].every(isWrap)
      ) {
        throw invalid()
      }
      await db.transaction().execute(async (tx) => {
        // First of all: whoever else changes the list waits here.
        await versions.bump(tx, 'keys')
        const key = await lockCurrentKey(tx, owner)
        const holders = key ? await holdersOf(tx, owner, key.epoch) : []
        const present = (await recipients.owners(tx)).get(owner)
        const own = holders.find(({ memberId }) => memberId === session.memberId)
        if (!present || !own) throw changedMeanwhile()
        const { given } = divideHolders(present, holders, own.recipient)
        const vouchers = new Map(made.grants.map(({ memberId, voucher }) => [memberId, voucher]))
        if (
          key?.epoch !== made.epoch - 1 ||
          made.grants.length !== given.length ||
          !given.every(({ memberId }) => vouchers.has(memberId)) ||
          (await recipients.head(tx)).hash !== made.voucher.previous
        ) {
          throw changedMeanwhile()
        }
        const next = { owner, epoch: made.epoch, verifier: made.voucher.verifier }
        const isVouchedAnew = (holder: Holder): boolean =>
          isVouched(next, { ...holder, voucher: vouchers.get(holder.memberId) ?? null })
        if (!given.every(isVouchedAnew)) throw invalid()
        await recipients
          .append(tx, {
            ...made.voucher,
            owner: owner,
            epoch: made.epoch,
            recipient: made.recipient,
            signedBy: 'predecessor',
          })
          .catch((error: unknown) => {
            throw error instanceof RecipientListError ? invalid() : error
          })
        await store(tx, owner, made, session)
      })
      versions.expire()
    },

    async batch(reader, owner = reader.departmentId) {
      const { key } = await mustHold(reader, owner)
      return {
        epoch: key.epoch,
        recipient: key.recipient,
        tips: await oldOf(owner, key.epoch),
      }
    },

    async rewrap(reader, wraps, owner = reader.departmentId) {
      const { key } = await mustHold(reader, owner)
      if (!wraps.every(({ epoch, wrapped }) => epoch === key.epoch && isWrap(wrapped))) throw invalid()
      // In one order, whatever came: two who move the same tips would wait for each other in a circle.
      const ordered = wraps.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      await db.transaction().execute(async (tx) => {
        let moved = 0
        for (const wrap of ordered) if (await replace(tx, owner, wrap)) moved += 1
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: holdingRole(reader.roles, owner),
          action: 'key.rewrap',
          object: owner,
          data: { epoch: key.epoch, tips: moved },
        })
      })
      return countOld(owner, key.epoch)
    },

    async due(admin) {
      if (!admin.roles.includes('admin')) throw new DomainError('forbidden', '只有管理员可以看全部钥匙。')
      const due: DueKey[] = []
      for (const { department_id: departmentId, epoch, replace_since: since } of await currentKeys(db)) {
        if (since === null) continue
        due.push({ departmentId, since, holders: (await holdersOf(db, departmentId, epoch)).length })
      }
      return due
    },

    async rotateFromEscrow(escrowIdentity, departmentId) {
      const escrow = await keys.mustBeEscrow(escrowIdentity, departmentId)
      const key = await currentKey(db, departmentId)
      if (!key) throw new DomainError('not-found', `no key of ${departmentId}`)
      const present = (await recipients.owners()).get(departmentId)
      const members = await membersFor(db, departmentId)
      const isMember = ({ memberId }: Holder): boolean => members.some((one) => one.memberId === memberId)
      const given = (await holdersOf(db, departmentId, key.epoch)).filter(
        (holder) => isMember(holder) && present !== undefined && isVouched(present, holder),
      )
      const epoch = key.epoch + 1
      const made = await makeEpoch({ department: departmentId, epoch }, given, escrow)
      await db.transaction().execute(async (tx) => {
        await versions.bump(tx, 'keys')
        const locked = await lockCurrentKey(tx, departmentId)
        if (locked?.epoch !== key.epoch) {
          throw new DomainError('stale-version', 'a newer key was made meanwhile; try again')
        }
        const entry = { owner: departmentId, epoch, recipient: made.recipient }
        const day = dayOf(clock.now())
        if (departmentId === APPROVERS) {
          // Its escrow is not the root, but opens the key that vouches for the next one.
          const present = (await keys.escrowGrants(departmentId)).find((grant) => grant.epoch === key.epoch)
          if (!present) throw new DomainError('not-found', `no key ${String(key.epoch)} of ${departmentId}`)
          const address = { department: departmentId, epoch: key.epoch }
          const identity = await openGrant(address, present.wrapped, escrowIdentity)
          const place = { previous: (await recipients.head(tx)).hash, day }
          const voucher = vouch({ department: departmentId, epoch }, made, identity, place)
          await recipients.append(tx, { ...voucher, ...entry, signedBy: 'predecessor' })
        } else {
          const signed = { ...entry, verifier: verifierOf(made.identity), day }
          await recipients.appendAsRoot(tx, [signed], escrowIdentity)
        }
        await store(tx, departmentId, { ...made, epoch }, null)
      })
      versions.expire()
      const older = new Map(
        await Promise.all(
          (await keys.escrowGrants(departmentId)).map(
            async (grant) =>
              [
                grant.epoch,
                await openGrant(
                  { department: departmentId, epoch: grant.epoch },
                  grant.wrapped,
                  escrowIdentity,
                ),
              ] as const,
          ),
        ),
      )
      let tips = 0
      for (;;) {
        const old = await tipWraps.old(departmentId, epoch, BATCH)
        if (old.length === 0) break
        const moved = await Promise.all(
          old.map(async (wrap) => ({
            ...wrap,
            epoch,
            wrapped: await rewrap(
              { purpose: wrap.purpose, tip: wrap.tipId, owner: departmentId },
              { epoch: wrap.epoch, identity: older.get(wrap.epoch) ?? '' },
              { epoch, recipient: made.recipient },
              wrap.wrapped,
            ),
          })),
        )
        await db.transaction().execute(async (tx) => {
          for (const wrap of moved) await tipWraps.replace(tx, { ...wrap, department: departmentId })
        })
        tips += moved.length
      }
      const has = new Set(given.map(({ memberId }) => memberId))
      const leftOut = members.filter(({ memberId }) => !has.has(memberId)).map(({ username }) => username)
      return { members: given.length, leftOut, tips }
    },
  }
}
