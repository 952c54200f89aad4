import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { gateRefused } from '../domain/gate.ts'
import { MAX_PHOTO_BYTES, MAX_PHOTOS, MAX_PHOTOS_BYTES } from '../domain/photo.ts'
import { createReceiptCode, formatReceiptCode } from '../domain/receipt.ts'
import type { Runtime } from '../runtime.ts'
import { gateProof, namedReporter, tipPlain } from '../schemas/tip.ts'
import { createTipKeys } from '../sealing/tip-keys.ts'
import type { Spend } from '../services/gate.ts'
import type { ClientKey } from '../services/limits.ts'
import type { FileResult, SealedPhoto } from '../services/tips.ts'
import { check, type ApiEnv } from './check.ts'
import { parseJson, readJson } from './json.ts'
import { readForm } from './multipart.ts'

const MAX_FIELD_BYTES = 64 * 1024
const KEY = /^[\x21-\x7e]{16,200}$/

/** A tip's fields out of a form: `plain.category=…`, or one field `plain` with JSON. */
function plainOf(fields: ReadonlyMap<string, readonly string[]>): unknown {
  const whole = fields.get('plain')?.[0]
  if (whole !== undefined) return parseJson(whole)
  return Object.fromEntries(
    [...fields]
      .filter(([name]) => name.startsWith('plain.'))
      .map(([name, values]) => [
        name.slice('plain.'.length),
        name === 'plain.checklist' ? values : values[0],
      ]),
  )
}

/** `POST tips`: the plain path, sealed on arrival. */
export function createTipsApi({ services, random }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()

  /**
   * Looks at the proof before anything costs. Without one a tip is taken under a narrower limit.
   * @param early photos follow: a proof that is spent is not worth sealing them
   * @throws {DomainError} `gate-refused` for one that is worth nothing, unless its tip was filed before and is only
   *   being asked for again; `rate-limited`
   */
  async function admit(
    proof: unknown,
    { idempotencyKey, client, early }: { idempotencyKey: string; client: ClientKey; early: boolean },
  ): Promise<Spend | null> {
    const { state, spend } = await services.gate.examine(check(gateProof, proof), {
      purpose: 'tip',
      holder: '',
    })
    if (state === 'none') {
      services.limits.take('tips-unproven', client)
      return null
    }
    const reason =
      state !== 'proven' ? state : early && spend && (await services.gate.isSpent(spend)) ? 'used' : null
    if (reason !== null && !(await services.tips.earlier(idempotencyKey))) throw gateRefused(reason)
    return spend
  }

  api.post('/', async (c) => {
    const idempotencyKey = c.req.header('idempotency-key') ?? ''
    if (!KEY.test(idempotencyKey)) {
      throw new DomainError(
        'invalid-input',
        '请带上 Idempotency-Key 请求头：16 到 200 个可见 ASCII 字符，每次举报用一个新的随机值。',
        [{ field: 'Idempotency-Key', message: '缺少或格式不对。' }],
      )
    }
    const { ready, reasons } = await services.readiness.check()
    if (!ready) throw new DomainError('intake-closed', reasons.join(''))
    const client = c.get('client')
    services.limits.take('tips', client)

    const keys = await createTipKeys()
    const tipId = random.uuid()
    const photos: SealedPhoto[] = []
    const digests: string[] = []
    let filed: FileResult
    let spend: Spend | null = null
    try {
      let body: unknown
      if (/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
        body = await readJson(c.req.raw)
        const { gate } = (body ?? {}) as { gate?: unknown }
        spend = await admit(gate, { idempotencyKey, client, early: false })
      } else {
        const form = await readForm(c.req.raw, {
          maxFiles: MAX_PHOTOS,
          maxFileBytes: MAX_PHOTO_BYTES,
          maxTotalBytes: MAX_PHOTOS_BYTES,
          maxFieldBytes: MAX_FIELD_BYTES,
          maxFields: 60,
          authorize: async (fields) => {
            spend = await admit(fields.get('gate')?.[0], { idempotencyKey, client, early: true })
          },
          onFile: async ({ bytes }) => {
            services.limits.take('uploads', client)
            const part = photos.length
            try {
              photos.push(await services.photos.seal(bytes, { tipId, recipient: keys.recipient, part }))
              digests.push(createHash('sha256').update(bytes).digest('base64url'))
            } catch (error) {
              if (!(error instanceof DomainError)) throw error
              throw new DomainError(error.code, `第 ${part + 1} 张照片：${error.message}`, [
                { field: `photos.${part}`, message: error.message },
              ])
            }
          },
        })
        body = { plain: plainOf(form.fields), ...(form.fields.has('sealed') ? { sealed: true } : {}) }
      }
      const { plain, sealed } = (body ?? {}) as { plain?: unknown; sealed?: unknown }
      if (sealed !== undefined) {
        throw new DomainError('invalid-input', '本站目前在服务器内存里密封，请用 plain 提交。', [
          { field: 'sealed', message: '暂不支持。' },
        ])
      }
      const tip = check(tipPlain, plain ?? {})
      filed = await services.tips.file({
        id: tipId,
        keys,
        facts: {
          category: tip.category,
          answer: tip.answer,
          area: tip.area,
          when: tip.when,
          urgency: tip.urgency,
          accused: tip.accused,
        },
        narrative: {
          description: tip.description,
          place: tip.place,
          callback: tip.callback,
          checklist: tip.checklist,
        },
        named: namedReporter(tip),
        photos,
        receiptCode: createReceiptCode((n) => random.bytes(n)),
        idempotencyKey,
        fingerprint: JSON.stringify([tip, digests]),
        lane: spend ? 'normal' : 'unverified',
        spend,
        draftId: null,
      })
    } catch (error) {
      await services.photos.discardAfter(error, photos)
      throw error
    }
    // An earlier filing answered: these photos belong to nobody.
    if (filed.repeated) await services.photos.discard(photos)
    return c.json(
      {
        caseNo: filed.caseNo,
        receiptCode: formatReceiptCode(filed.receiptCode),
        receivedDay: filed.receivedDay,
        promise: filed.promise,
        follow: '/track/',
      },
      filed.repeated ? 200 : 201,
    )
  })

  return api
}
