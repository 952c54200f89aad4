import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { gateRefused } from '../domain/gate.ts'
import { MAX_PHOTO_BYTES, MAX_PHOTOS, MAX_PHOTOS_BYTES } from '../domain/photo.ts'
import { createReceiptCode, formatReceiptCode } from '../domain/receipt.ts'
import { DRAFT_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import { gateProof, namedReporter, sealedBody, tipPlain } from '../schemas/tip.ts'
import { createTipKeys } from '../sealing/tip-keys.ts'
import type { Spend } from '../services/gate.ts'
import type { ClientKey } from '../services/limits.ts'
import { DraftChangedError, type FileResult, type SealedPhoto } from '../services/tips.ts'
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

/** Who files, and under which key. */
interface Caller {
  readonly idempotencyKey: string
  readonly client: ClientKey
}

/** `POST tips`: in plain, sealed on arrival; or sealed before it came. */
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

  /** Seals in memory what came in plain. */
  async function filePlain(
    request: { readonly json: Readonly<Record<string, unknown>> } | { readonly form: Request },
    { idempotencyKey, client }: Caller,
  ): Promise<FileResult> {
    const keys = await createTipKeys()
    const tipId = random.uuid()
    const photos: SealedPhoto[] = []
    const digests: string[] = []
    let spend: Spend | null = null
    try {
      let plain: unknown
      if ('json' in request) {
        plain = request.json['plain']
        spend = await admit(request.json['gate'], { idempotencyKey, client, early: false })
      } else {
        const form = await readForm(request.form, {
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
        if (form.fields.has('sealed')) {
          throw new DomainError(
            'invalid-input',
            '自己密封的举报用 JSON 提交，照片先用 POST /uploads 上传。',
            [{ field: 'sealed', message: '表单里不能有 sealed。' }],
          )
        }
        plain = plainOf(form.fields)
      }
      const tip = check(tipPlain, plain ?? {})
      const filed = await services.tips.file({
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
      // An earlier filing answered: these photos belong to nobody.
      if (filed.repeated) await services.photos.discard(photos)
      return filed
    } catch (error) {
      await services.photos.discardAfter(error, photos)
      throw error
    }
  }

  /** Stores what came sealed: with the form's draft when there is one, else as a program's. */
  async function fileSealed(
    given: Readonly<Record<string, unknown>>,
    { idempotencyKey, client, cookie }: Caller & { readonly cookie: string | null },
  ): Promise<FileResult> {
    if (given['plain'] !== undefined) {
      throw new DomainError('invalid-input', 'plain 和 sealed 只能给一个。', [
        { field: 'plain', message: '已经给了 sealed。' },
      ])
    }
    const { sealed, gate, trap } = check(sealedBody, given)
    const { category, answer, area, when, urgency, accused, ...rest } = sealed
    const tip = {
      ...rest,
      facts: { category, answer, area, when, urgency, accused },
      idempotencyKey,
      // What is sealed differs at every sealing of the same text: the tip's own id and keys stand for it.
      fingerprint: JSON.stringify([
        [sealed.id, sealed.recipient, sealed.auth, sealed.reporterRecipient],
        [category, answer, area, when, urgency, accused, sealed.callback],
        sealed.photos.map(({ part }) => part),
      ]),
    }
    if (cookie !== null && services.drafts.idOf(cookie) !== null) {
      // Counted there.
      services.limits.giveBack('tips', client)
      return services.drafts.commitSealed(cookie, tip, { trap, proof: gate ?? '', client })
    }
    const spend = await admit(gate, { idempotencyKey, client, early: false })
    try {
      return await services.tips.fileSealed({
        ...tip,
        lane: spend ? 'normal' : 'unverified',
        spend,
        draftId: null,
      })
    } catch (error) {
      if (!(error instanceof DraftChangedError)) throw error
      throw new DomainError('invalid-input', '有照片不在了，请重新上传。', [
        { field: 'photos', message: '上传已被用掉或删除。' },
      ])
    }
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

    const isJson = /^application\/json\b/i.test(c.req.header('content-type') ?? '')
    const body = isJson ? await readJson(c.req.raw) : null
    const given = (body ?? {}) as Readonly<Record<string, unknown>>
    const filed =
      given['sealed'] === undefined
        ? await filePlain(isJson ? { json: given } : { form: c.req.raw }, { idempotencyKey, client })
        : await fileSealed(given, { idempotencyKey, client, cookie: DRAFT_COOKIE.read(c.req.raw) })
    return c.json(
      {
        caseNo: filed.caseNo,
        ...(filed.receiptCode === null ? {} : { receiptCode: formatReceiptCode(filed.receiptCode) }),
        receivedDay: filed.receivedDay,
        promise: filed.promise,
        follow: '/track/',
      },
      filed.repeated ? 200 : 201,
      { 'cache-control': 'no-store' },
    )
  })

  return api
}
