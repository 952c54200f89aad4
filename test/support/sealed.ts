import { randomBytes } from 'node:crypto'
import { stripPhoto } from '../../src/domain/photo-strip.ts'
import type { Narrative } from '../../src/domain/tip.ts'
import {
  createTipSecrets,
  sealChecked,
  sealNarrative,
  wrapForReaders,
  type Reader,
  type TipSecrets,
} from '../../src/sealing/outgoing.ts'

/** What a browser does with a tip, done here by the very functions that run there. */

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

export const newSecrets = (): Promise<TipSecrets> => createTipSecrets((n) => new Uint8Array(randomBytes(n)))

export const NARRATIVE: Narrative = {
  description: '锅炉冒黑烟，气味很大，从早上开始。',
  place: '示例路与样例街交叉口',
  callback: null,
  checklist: [],
}

/** A photo's working copy and original, sealed. */
export async function sealPhoto(
  secrets: TipSecrets,
  part: number,
  photo: Uint8Array,
): Promise<{ copy: Uint8Array<ArrayBuffer>; original: Uint8Array<ArrayBuffer> }> {
  return {
    copy: await sealChecked(secrets, 'tip.photo', part, stripPhoto(photo).bytes),
    original: await sealChecked(secrets, 'tip.original', part, photo),
  }
}

/** The value of `sealed` in the body of `POST /api/v1/tips`. */
export async function sealedTip(
  secrets: TipSecrets,
  readers: readonly Reader[],
  {
    narrative = NARRATIVE,
    photos = [],
    ...facts
  }: {
    readonly narrative?: Narrative
    readonly photos?: readonly {
      readonly part: number
      readonly copy: string
      readonly original: string | null
    }[]
    readonly [fact: string]: unknown
  } = {},
): Promise<Record<string, unknown>> {
  return {
    category: 'boiler-coal',
    area: '410102001',
    when: 'now',
    ...facts,
    id: secrets.tip,
    recipient: secrets.recipient,
    auth: secrets.auth,
    reporterRecipient: secrets.reporterRecipient,
    recipientMac: secrets.recipientMac,
    callback: narrative.callback !== null,
    narrative: base64(await sealNarrative(secrets, narrative)),
    wraps: (await wrapForReaders(secrets, readers)).map((wrap) => ({
      ...wrap,
      wrapped: base64(wrap.wrapped),
    })),
    photos,
  }
}

/** Sends a file in pieces from where it stands; answers the id. */
export async function upload(
  api: string,
  sealed: Uint8Array<ArrayBuffer>,
  { cookie, gate, piece = 1024 * 1024 }: { cookie?: string; gate?: string; piece?: number } = {},
): Promise<string> {
  const begun = await fetch(`${api}/uploads`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(cookie === undefined ? {} : { cookie }) },
    body: JSON.stringify({ size: sealed.length, ...(gate === undefined ? {} : { gate }) }),
  })
  if (begun.status !== 201) throw new Error(`${begun.status} ${await begun.text()}`)
  const { id } = (await begun.json()) as { id: string }
  for (let offset = 0; offset < sealed.length;) {
    const reply = await patch(api, id, offset, sealed.subarray(offset, offset + piece))
    if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`)
    offset = Number(reply.headers.get('upload-offset'))
  }
  return id
}

export function patch(
  api: string,
  id: string,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  return fetch(`${api}/uploads/${id}`, {
    method: 'PATCH',
    headers: { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
    body: bytes,
  })
}
