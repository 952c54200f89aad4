import type { Tx } from '../db/connect.ts'
import {
  countOldWraps,
  currentKey,
  currentKeys,
  holdersOf,
  lockCurrentKey,
  membersIn,
  replaceWrap,
  someOldWraps,
  type Holder,
  type OldWrap,
} from '../db/keys.ts'
import { dayOf, daysBetween } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { isRecipient } from '../sealing/age-identity.ts'
import { openGrant } from '../sealing/department-keys.ts'
import { RecipientListError, verifierOf } from '../sealing/recipient-list.ts'
import { makeEpoch, rewrapTipKey, type ListPlace, type Voucher } from '../sealing/rotation.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import { isAge } from './cases/wraps.ts'
import { READING_ROLES, type Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { Recipients } from './recipients.ts'
import type { Sessions } from './sessions.ts'
import type { StaffSession } from './staff.ts'

/** How things stand with the key of the reader's department. */
export interface KeyState {
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
  readonly holders: readonly Holder[]
  readonly escrow: string
  /** Where the next entry of the list of recipients goes, for {@link vouch}. */
  readonly place: ListPlace
}

/** What the browser made of it. */
export interface MadeKey {
  readonly epoch: number
  readonly recipient: string
  readonly grants: readonly { readonly memberId: string; readonly wrapped: Uint8Array }[]
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
 * closed stays under the old key, which those who stay still hold.
 */
export interface Rotations {
  /** Null for who reads no cases, and before there are keys. */
  stateFor(reader: Reader): Promise<KeyState | null>
  /** @throws {DomainError} `forbidden` for who does not hold the present key */
  plan(reader: Reader): Promise<Ceremony>
  /**
   * Stores a new key: for exactly those who hold the present one, and the escrow.
   * @throws {DomainError} `factor-required`, `forbidden`, `invalid-input`, `stale-version` when meanwhile a member came
   *   or went or somebody else was first
   */
  rotate(session: StaffSession, made: MadeKey): Promise<void>
  /** Some of the tips that wait. @throws {DomainError} `forbidden` */
  batch(reader: Reader): Promise<RewrapBatch>
  /** Answers how many still wait. @throws {DomainError} `forbidden`, `invalid-input` */
  rewrap(reader: Reader, wraps: readonly OldWrap[]): Promise<number>
  /** @throws {DomainError} `forbidden` */
  due(admin: Reader): Promise<DueKey[]>
  /**
   * The same with the escrow key, for a department in which nobody holds the present one: a key for all members who
   * read cases there. Answers how many tips were moved.
   * @throws {DomainError} `invalid-input` for a secret that is not the escrow's, `not-found`
   */
  rotateFromEscrow(escrowIdentity: string, departmentId: string): Promise<{ members: number; tips: number }>
}

// As JSON a batch must fit into one request body.
const BATCH = 40
const MAX_WRAP_BYTES = 4096

export function createRotations(
  deps: Deps,
  keys: Keys,
  sessions: Sessions,
  recipients: Recipients,
): Rotations {
  const { db, clock, random, versions } = deps

  const invalid = (): DomainError => new DomainError('invalid-input', '新的钥匙格式不对，请刷新页面重试。')
  const isWrap = (bytes: Uint8Array): boolean => isAge(bytes) && bytes.length <= MAX_WRAP_BYTES

  async function held(reader: Reader) {
    const key = await currentKey(db, reader.departmentId)
    const holders = key ? await holdersOf(db, reader.departmentId, key.epoch) : []
    return { key, holders, own: holders.some(({ memberId }) => memberId === reader.memberId) }
  }

  async function mustHold(reader: Reader) {
    const { key, holders, own } = await held(reader)
    if (!key || !own) throw new DomainError('forbidden', '您自己没有本单位现在的钥匙，不能更换它。')
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
      { member_id: null, wrapped: made.escrow },
      ...made.grants.map(({ memberId, wrapped }) => ({ member_id: memberId, wrapped })),
    ]
    await tx
      .insertInto('key_grant')
      .values(
        grants.map(({ member_id, wrapped }) => ({
          id: random.uuid(),
          department_id: departmentId,
          epoch: made.epoch,
          member_id,
          wrapped: Buffer.from(wrapped),
          granted_by: by?.memberId ?? null,
        })),
      )
      .execute()
    await recordAudit(tx, {
      at: clock.now(),
      memberId: by?.memberId ?? null,
      role: by?.roles.find((role) => READING_ROLES.includes(role)) ?? null,
      action: 'key.rotate',
      object: departmentId,
      data: { epoch: made.epoch, recipient: made.recipient },
    })
  }

  return {
    async stateFor(reader) {
      if (!reader.roles.some((role) => READING_ROLES.includes(role))) return null
      const { key, own } = await held(reader)
      if (!key) return null
      return {
        departmentId: reader.departmentId,
        epoch: key.epoch,
        replaceSince: key.replace_since,
        held: own,
        // The first generation has none before it: no need to look.
        oldTips: key.epoch === 1 ? 0 : await countOldWraps(db, reader.departmentId, key.epoch),
      }
    },

    async plan(reader) {
      const { key, holders } = await mustHold(reader)
      return {
        departmentId: reader.departmentId,
        epoch: key.epoch + 1,
        holders,
        escrow: await keys.escrowRecipient(),
        place: { previous: (await recipients.head()).hash, day: dayOf(clock.now()) },
      }
    },

    async rotate(session, made) {
      await sessions.requireRecent(session)
      await mustHold(session)
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
        const key = await lockCurrentKey(tx, session.departmentId)
        const holders = key ? await holdersOf(tx, session.departmentId, key.epoch) : []
        const wanted = holders.map(({ memberId }) => memberId).sort()
        const given = made.grants.map(({ memberId }) => memberId).sort()
        if (key?.epoch !== made.epoch - 1 || JSON.stringify(wanted) !== JSON.stringify(given)) {
          throw changedMeanwhile()
        }
        if ((await recipients.head(tx)).hash !== made.voucher.previous) throw changedMeanwhile()
        await recipients
          .append(tx, {
            ...made.voucher,
            owner: session.departmentId,
            epoch: made.epoch,
            recipient: made.recipient,
            signedBy: 'predecessor',
          })
          .catch((error: unknown) => {
            throw error instanceof RecipientListError ? invalid() : error
          })
        await store(tx, session.departmentId, made, session)
      })
      versions.expire()
    },

    async batch(reader) {
      const { key } = await mustHold(reader)
      return {
        epoch: key.epoch,
        recipient: key.recipient,
        tips: await someOldWraps(db, reader.departmentId, key.epoch, BATCH),
      }
    },

    async rewrap(reader, wraps) {
      const { key } = await mustHold(reader)
      if (!wraps.every(({ epoch, wrapped }) => epoch === key.epoch && isWrap(wrapped))) throw invalid()
      await db.transaction().execute(async (tx) => {
        let moved = 0
        for (const wrap of wraps) if (await replaceWrap(tx, reader.departmentId, wrap)) moved += 1
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: reader.roles.find((role) => READING_ROLES.includes(role)) ?? null,
          action: 'key.rewrap',
          object: reader.departmentId,
          data: { epoch: key.epoch, tips: moved },
        })
      })
      return countOldWraps(db, reader.departmentId, key.epoch)
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
      const escrow = await keys.mustBeEscrow(escrowIdentity)
      const key = await currentKey(db, departmentId)
      if (!key) throw new DomainError('not-found', `no key of ${departmentId}`)
      const holders = await membersIn(db, departmentId, READING_ROLES)
      const epoch = key.epoch + 1
      const made = await makeEpoch(
        { department: departmentId, epoch },
        holders.map(({ recipient }) => recipient),
        escrow,
      )
      const grants = made.grants.flatMap((wrapped, index) => {
        const memberId = holders[index]?.memberId
        return memberId === undefined ? [] : [{ memberId, wrapped }]
      })
      await db.transaction().execute(async (tx) => {
        await versions.bump(tx, 'keys')
        const locked = await lockCurrentKey(tx, departmentId)
        if (locked?.epoch !== key.epoch) {
          throw new DomainError('stale-version', 'a newer key was made meanwhile; try again')
        }
        await recipients.appendAsRoot(
          tx,
          [
            {
              owner: departmentId,
              epoch,
              recipient: made.recipient,
              verifier: verifierOf(made.identity),
              day: dayOf(clock.now()),
            },
          ],
          escrowIdentity,
        )
        await store(tx, departmentId, { ...made, epoch, grants }, null)
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
        const old = await someOldWraps(db, departmentId, epoch, BATCH)
        if (old.length === 0) break
        const moved = await Promise.all(
          old.map(async (wrap) => ({
            tipId: wrap.tipId,
            epoch,
            wrapped: await rewrapTipKey(
              wrap.tipId,
              departmentId,
              { epoch: wrap.epoch, identity: older.get(wrap.epoch) ?? '' },
              { epoch, recipient: made.recipient },
              wrap.wrapped,
            ),
          })),
        )
        await db.transaction().execute(async (tx) => {
          for (const wrap of moved) await replaceWrap(tx, departmentId, wrap)
        })
        tips += moved.length
      }
      return { members: holders.length, tips }
    },
  }
}
