import { createReceiptCode } from '../domain/receipt.ts'
import type { NamedReporter } from '../domain/identity.ts'
import type { Narrative } from '../domain/tip.ts'
import { createKeyPair, type KeyPair } from './age-identity.ts'
import type { RandomBytes } from './bytes.ts'
import { toBase64Url, utf8 } from './bytes.ts'
import { openPart, sealPart, type PartPurpose } from './envelope.ts'
import { EnvelopeError } from './envelope-error.ts'
import { deriveReceipt, tipRecipientMac } from './receipt-keys.ts'
import { openInner, sealTwoLayer, stripOuter, type TwoLayerPart, type TwoRoles } from './two-layer.ts'
import { createTipKeys, unwrapTipKey, wrapTipKey } from './tip-keys.ts'

/** All the secrets of a tip before it is sent. Made in the reporter's browser and kept nowhere else. */
export interface TipSecrets extends KeyPair {
  /** A UUID. */
  readonly tip: string
  /** Canonical, 24 symbols. */
  readonly receiptCode: string
  /** What the server looks the receipt up by; see receipt-keys.ts. */
  readonly auth: string
  readonly reporterRecipient: string
  /** Of the tip's recipient, under a key that the receipt code yields; see receipt-keys.ts. */
  readonly recipientMac: string
  /** Sent with the tip, so that a repeat is known for one. */
  readonly idempotencyKey: string
}

/** The present key of a department. */
export interface Reader {
  readonly department: string
  readonly epoch: number
  readonly recipient: string
}

/** The tip's secret wrapped for a department. */
export interface OutgoingWrap {
  readonly department: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** A narrative as it is sealed. */
export interface SealedNarrative extends Narrative {
  /**
   * To whom messages to the reporter are sealed, in the reporter's own word: whoever opens the tip takes it from here.
   * Missing in tips from before it was put in.
   */
  readonly reporterRecipient?: string
}

/** Who a named reporter is, as it is sealed. */
export interface SealedIdentity extends NamedReporter {
  /** The tip's own, for whoever makes a new receipt code. Missing in tips from before it was put in. */
  readonly tipRecipient?: string
}

const ID_BYTES = 16

/** Receipt code, tip key and what follows from them. */
export async function createTipSecrets(random: RandomBytes): Promise<TipSecrets> {
  const receiptCode = createReceiptCode(random)
  const { auth, recipient: reporterRecipient, macKey } = await deriveReceipt(receiptCode)
  const keys = await createTipKeys()
  const tip = uuidOf(random(ID_BYTES))
  return {
    ...keys,
    tip,
    receiptCode,
    auth,
    reporterRecipient,
    recipientMac: tipRecipientMac(macKey, tip, keys.recipient),
    idempotencyKey: toBase64Url(random(ID_BYTES)),
  }
}

/**
 * Seals a part to the tip's own key, opens it again and compares: what cannot be opened never leaves the browser.
 * @throws {EnvelopeError} when it does not open, or opens as something else
 */
export async function sealChecked(
  { identity, recipient, tip }: Pick<TipSecrets, 'identity' | 'recipient' | 'tip'>,
  purpose: PartPurpose,
  part: number,
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const sealed = await sealPart({ recipients: [recipient], purpose, tip, part, bytes })
  const opened = await openPart({ identity, purpose, tip, part, sealed })
  if (opened.length !== bytes.length || opened.some((byte, index) => byte !== bytes[index])) {
    throw new EnvelopeError('damaged', 'The envelope holds something else than what was sealed.')
  }
  return sealed
}

/** The narrative as one sealed part, with the reporter's recipient in it. @throws {EnvelopeError} as {@link sealChecked} */
export function sealNarrative(
  secrets: Pick<TipSecrets, 'identity' | 'recipient' | 'tip' | 'reporterRecipient'>,
  narrative: Narrative,
): Promise<Uint8Array<ArrayBuffer>> {
  const { reporterRecipient } = secrets
  const content: SealedNarrative = { ...narrative, reporterRecipient }
  return sealChecked(secrets, 'tip.narrative', 0, utf8(JSON.stringify(content)))
}

/** Who a named reporter is, with the tip's recipient, in bytes. */
export function identityBytes(
  { recipient }: Pick<TipSecrets, 'recipient'>,
  named: NamedReporter,
): Uint8Array {
  const content: SealedIdentity = { ...named, tipRecipient: recipient }
  return utf8(JSON.stringify(content))
}

/**
 * The tip's secret for each of its readers. A department's wrap cannot be opened here, so the same wrapping is tried
 * with a throw-away key first, and what comes out must be the secret.
 * @throws {EnvelopeError} when it is not
 */
export async function wrapForReaders(
  { tip, identity }: Pick<TipSecrets, 'tip' | 'identity'>,
  readers: readonly Reader[],
): Promise<readonly OutgoingWrap[]> {
  const throwaway = await createKeyPair()
  return Promise.all(
    readers.map(async ({ department, epoch, recipient }) => {
      const address = { tip, department, epoch }
      const tried = await wrapTipKey(address, identity, throwaway.recipient)
      if ((await unwrapTipKey(address, tried, throwaway.identity)) !== identity) {
        throw new EnvelopeError('damaged', 'The wrap holds something else than the key.')
      }
      return { department, epoch, wrapped: await wrapTipKey(address, identity, recipient) }
    }),
  )
}

/**
 * Who a named reporter is, so that it takes custodian and approver to open. Tried first with two throw-away keys, as
 * in {@link wrapForReaders}.
 * @throws {EnvelopeError} when what comes out is something else
 */
export async function sealNamed(
  { tip, recipient }: Pick<TipSecrets, 'tip' | 'recipient'>,
  named: NamedReporter,
  roles: TwoRoles,
): Promise<TwoLayerPart> {
  const address = { purpose: 'tip.identity', tip } as const
  const bytes = identityBytes({ recipient }, named)
  const [keeper, approver] = await Promise.all([createKeyPair(), createKeyPair()])
  const tried = await sealTwoLayer(address, bytes, {
    keeper: { ...roles.keeper, recipient: keeper.recipient },
    approver: { ...roles.approver, recipient: approver.recipient },
  })
  const inner = await stripOuter(address, { ...roles.approver, identity: approver.identity }, tried.wrapped)
  const { identity } = await openInner(
    address,
    { ...roles.keeper, identity: keeper.identity },
    inner,
    tried.recipient,
  )
  const opened = await openPart({ identity, ...address, part: 0, sealed: tried.sealed })
  if (opened.length !== bytes.length || opened.some((byte, index) => byte !== bytes[index])) {
    throw new EnvelopeError('damaged', 'The envelope holds something else than what was sealed.')
  }
  return sealTwoLayer(address, bytes, roles)
}

/** A random UUID (version 4): unlike the server's own it tells no time. */
function uuidOf(bytes: Uint8Array): string {
  const marked = bytes.map((byte, index) => {
    if (index === 6) return (byte & 0x0f) | 0x40
    return index === 8 ? (byte & 0x3f) | 0x80 : byte
  })
  const hex = Array.from(marked, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
