import { Hono } from 'hono'
import { z } from 'zod'
import { CASE_ACTIONS, OUTCOMES, PROOF_KINDS } from '../domain/case.ts'
import { DomainError } from '../domain/errors.ts'
import { MAX_PHOTO_BYTES, photoRejected } from '../domain/photo.ts'
import { photoReviewOf } from '../domain/redaction.ts'
import { cleanText } from '../domain/tip.ts'
import type { Runtime } from '../runtime.ts'
import { officerMessage } from '../schemas/message.ts'
import { bytes } from '../schemas/staff.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import { notReviewed } from '../services/cases/proofs.ts'
import type { StaffSession } from '../services/staff.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'
import { isForm, takeMessage } from './messages.ts'
import { readForm } from './multipart.ts'
import { signedIn } from './staff-identity.ts'

const wrap = z.object({ tipId: z.uuid(), epoch: z.number().int().min(1), wrapped: bytes(4096) })

const actionBody = z.object({
  version: z.number().int(),
  action: z.enum(CASE_ACTIONS),
  reason: z.string().max(40).optional(),
  target: z.string().max(40).optional(),
  attachTo: z.string().max(20).optional(),
  outcome: z.enum(OUTCOMES).optional(),
  statement: z.string().transform(cleanText).pipe(z.string().max(2000, '最多 2000 个字。')).optional(),
  competentBody: z.string().transform(cleanText).pipe(z.string().max(100, '最多 100 个字。')).optional(),
  wraps: z.array(wrap).max(500).optional(),
  note: z
    .object({ tipId: z.uuid(), purpose: z.enum(['tip.note', 'tip.reason']), sealed: bytes(200_000) })
    .optional(),
  message: officerMessage.optional(),
  hideCategory: z.boolean().optional(),
  hideArea: z.boolean().optional(),
})
const wrapsBody = z.object({ wraps: z.array(wrap).max(500) })
const proofText = z.object({
  // A photo comes with its picture, never as words alone.
  kind: z.enum(PROOF_KINDS).exclude(['photo']),
  caption: z
    .string()
    .transform(cleanText)
    .pipe(z.string().min(1, '请填写内容。').max(500, '最多 500 个字。')),
})

/** A case for the console's scripts: read, act, prove. */
export function createStaffCasesApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()

  /** The member, once the page's form token has been checked too. */
  function changing(staff: StaffSession | null, token: string | undefined): StaffSession {
    const member = signedIn(staff)
    services.formTokens.verify(token, 'staff', member.sessionId)
    return member
  }

  /** Asked before a photo is kept or decoded: whoever may not see the case leaves nothing here. */
  async function maySend(staff: StaffSession, request: Request, caseNo: string): Promise<void> {
    if (isForm(request)) await services.cases.detail(staff, caseNo)
  }

  api.get('/:caseNo', async (c) => {
    const detail = await services.cases.detail(signedIn(c.get('staff')), c.req.param('caseNo'))
    const text = (value: Uint8Array | null): string | null => (value === null ? null : toBase64Url(value))
    return c.json({
      ...detail,
      tips: detail.tips.map((tip) => ({
        ...tip,
        wrap: tip.wrap && { ...tip.wrap, wrapped: toBase64Url(tip.wrap.wrapped) },
        narrative: text(tip.narrative),
        notes: tip.notes.map((note) => ({ ...note, sealed: text(note.sealed) })),
        messages: tip.messages.map((message) => ({ ...message, sealed: text(message.sealed) })),
      })),
    })
  })
  api.get('/:caseNo/photos/:tipId/:purpose/:part', async (c) => {
    const { caseNo, tipId, purpose, part } = c.req.param()
    if (
      (purpose !== 'tip.photo' && purpose !== 'tip.original') ||
      !/^\d{1,3}$/.test(part) ||
      !/^[0-9a-f-]{36}$/.test(tipId)
    ) {
      throw new DomainError('not-found', '没有这张照片。')
    }
    const sealed = await services.cases.photo(signedIn(c.get('staff')), caseNo, tipId, purpose, Number(part))
    return c.body(new Uint8Array(sealed), 200, { 'content-type': 'application/octet-stream' })
  })
  api.post('/:caseNo/actions', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const caseNo = c.req.param('caseNo')
    await maySend(staff, c.req.raw, caseNo)
    const done = await takeMessage(services, c.req.raw, {
      schema: actionBody,
      ofForm: (json) => json('body'),
      photosOf: ({ message }) => message?.photos ?? [],
      store: async ({ message, ...request }, photos) => {
        if (request.action === 'publish') await services.sessions.requireRecent(staff)
        return services.cases.act(staff, caseNo, {
          ...request,
          ...(message ? { message: { ...message, photos } } : {}),
        })
      },
    })
    return c.json(done)
  })
  api.post('/:caseNo/messages', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const caseNo = c.req.param('caseNo')
    await maySend(staff, c.req.raw, caseNo)
    await takeMessage(services, c.req.raw, {
      schema: officerMessage,
      ofForm: (json) => json('body'),
      photosOf: ({ photos }) => photos,
      store: (message, photos) => services.cases.write(staff, caseNo, { ...message, photos }),
    })
    return c.json({ sent: true }, 201)
  })
  api.get('/:caseNo/messages/:tipId/photos/:photo', async (c) => {
    const { caseNo, tipId, photo } = c.req.param()
    const sealed = await services.cases.messagePhoto(signedIn(c.get('staff')), caseNo, tipId, photo)
    return c.body(new Uint8Array(sealed), 200, { 'content-type': 'application/octet-stream' })
  })
  api.post('/:caseNo/wraps', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await services.cases.rewrap(
      staff,
      c.req.param('caseNo'),
      check(wrapsBody, await readJson(c.req.raw)).wraps,
    )
    return c.json({ wrapped: true })
  })
  api.post('/:caseNo/proofs', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const caseNo = c.req.param('caseNo')
    if (!isForm(c.req.raw)) {
      const proof = check(proofText, await readJson(c.req.raw))
      return c.json({ id: await services.cases.addProof(staff, caseNo, { ...proof, blobKey: null }) }, 201)
    }
    await maySend(staff, c.req.raw, caseNo)
    const pictures: Uint8Array[] = []
    const form = await readForm(c.req.raw, {
      maxFiles: 1,
      maxFileBytes: MAX_PHOTO_BYTES,
      maxTotalBytes: MAX_PHOTO_BYTES,
      maxFieldBytes: 4000,
      maxFields: 10,
      onFile: ({ bytes: photo }) => {
        pictures.push(photo)
      },
    })
    const [picture] = pictures
    if (!picture) throw photoRejected('empty')
    const review = photoReviewOf(form.fields.get('review')?.[0] ?? '')
    if (!review) throw notReviewed()
    const caption = cleanText(form.fields.get('caption')?.[0] ?? '') || '现场照片'
    const id = await services.cases.addProof(staff, caseNo, {
      kind: 'photo',
      caption: caption.slice(0, 100),
      blobKey: await services.photos.proof(picture),
      review,
    })
    return c.json({ id }, 201)
  })
  api.post('/:caseNo/proofs/:id/remove', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await services.cases.removeProof(staff, c.req.param('caseNo'), c.req.param('id'))
    return c.json({ removed: true })
  })
  api.get('/:caseNo/preview', async (c) => {
    const hide = {
      hideCategory: c.req.query('hideCategory') === '1',
      hideArea: c.req.query('hideArea') === '1',
    }
    const row = await services.cases.preview(signedIn(c.get('staff')), c.req.param('caseNo'), hide)
    return c.json(await services.reading.asPublic(row))
  })
  return api
}
