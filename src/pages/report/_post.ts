import { readForm, type FormFields } from '../../api/multipart.ts'
import { markRefused, refusedFields } from '../../api/problem.ts'
import {
  addressOf,
  answersOn,
  asPlain,
  firstUnfinished,
  problemsOf,
  routedBy,
  stepAfter,
  stepBefore,
  type Answers,
  type Step,
} from '../../components/report/steps.ts'
import { checkProblems, type CheckFields } from '../../domain/check-page.ts'
import { parseClaimPin } from '../../domain/claim-pin.ts'
import { DomainError, RateLimitedError, type FieldError } from '../../domain/errors.ts'
import { MAX_PHOTO_BYTES, MAX_PHOTOS, MAX_PHOTOS_BYTES } from '../../domain/photo.ts'
import type { Plan } from '../../domain/plan.ts'
import { DRAFT_COOKIE } from '../../http/session-cookie.ts'
import { tipPlain } from '../../schemas/tip.ts'
import type { Draft, Sealing } from '../../services/drafts.ts'
import type { Readiness } from '../../services/readiness.ts'

/** What the form's tokens are for. */
export const FORM_PURPOSE = 'report'

/** What a page of the form shows. */
export interface FormState {
  readonly draft: Draft | null
  readonly answers: Answers
  /** What was typed on the check page and is kept nowhere: the retyped end of the code, and the PIN. */
  readonly typed?: CheckFields
  readonly errors: readonly FieldError[]
}

/** A page of the form that was sent. */
export interface Posting {
  readonly step: Step
  /** A correction that began on the check page goes straight back to it. */
  readonly correcting: boolean
  readonly request: Request
  readonly locals: Pick<App.Locals, 'services' | 'client'>
  readonly plan: Plan
  readonly readiness: Awaited<ReturnType<Readiness['check']>>
  readonly cookie: string | null
  readonly draft: Draft | null
}

export function goTo(step: Step, setCookie?: string): Response {
  return new Response(null, {
    status: 303,
    headers: { location: addressOf(step), ...(setCookie ? { 'set-cookie': setCookie } : {}) },
  })
}

/**
 * Takes in what was sent.
 * @param reply gets status and headers when the page is to be shown again
 * @returns where to go, or what to show
 */
export async function takePost(
  posting: Posting,
  reply: { status?: number | undefined; readonly headers: Headers },
): Promise<Response | FormState> {
  const { step, correcting, plan, readiness } = posting
  const { services, client } = posting.locals
  // Sent twice (an impatient click, a reload): the draft is gone and its token with it, the answer is the same.
  if (step === 'check' && (await services.drafts.sent(posting.cookie))) return goTo('sent')

  const { fields, photoErrors, sealing, ...sent } = await readPost(posting)
  const before = posting.draft?.answers ?? {}
  const typed = answersOn(step, fields, before)
  const answers = { ...before, ...typed }
  const check: CheckFields = { retype: fields.get('retype')?.[0] ?? '', pin: fields.get('pin')?.[0] ?? '' }
  let { draft } = sent
  try {
    if (sent.refused) throw sent.refused
    if (!readiness.ready) throw new DomainError('intake-closed', readiness.reasons.join(''))
    const started = draft ? null : await startDraft(posting)
    const cookie = started?.cookie ?? posting.cookie ?? ''
    const setCookie = started ? DRAFT_COOKIE.set(cookie) : undefined
    draft ??= started?.draft ?? null
    // Also with a refusal below: the page's token is for this draft.
    if (setCookie) reply.headers.append('set-cookie', setCookie)
    if (step === 'check') {
      // Sealed by the browser, the tip goes through the API.
      if (sealing === 'browser') throw unsealed()
      const problems = checkProblems(check, draft?.receiptCode ?? '')
      if (problems.length > 0) throw new DomainError('invalid-input', '还有内容要改。', problems)
      const parsed = tipPlain.safeParse(asPlain(answers))
      if (!parsed.success) return goTo(firstUnfinished(answers) ?? '')
      await services.drafts.commit(cookie, parsed.data, {
        trap: fields.get('website')?.[0] ?? '',
        proof: fields.get('gate')?.[0] ?? '',
        client,
        claimPin: parseClaimPin(check.pin),
      })
      return goTo('sent')
    }
    draft = await services.drafts.save(cookie, typed, sealing)
    const removed = fields.get('remove')?.[0]
    if (step === 'what' && removed !== undefined) {
      draft = await services.drafts.removePhoto(cookie, Number(removed))
      return { draft, answers, errors: [] }
    }
    // Adding photos and going back keep what was typed, finished or not.
    const goesOn = !fields.has('upload') && !fields.has('back')
    const errors = [...(goesOn ? problemsOf(step, answers, sealing) : []), ...photoErrors]
    const answered = Boolean(typed['answer']?.[0] || typed['accused']?.[0])
    if (errors.length === 0) {
      if (goesOn && (step === 'question' || answered)) await services.tips.promise(routedBy(answers))
      if (fields.has('back')) return goTo(correcting ? 'check' : stepBefore(step, plan, answers))
      if (goesOn) return goTo(correcting ? 'check' : stepAfter(step, plan, answers, answered), setCookie)
    } else reply.status = 422
    if (sent.limited) markRefused(reply, sent.limited)
    return { draft, answers, errors }
  } catch (error) {
    return { draft, answers, errors: refusedFields(reply, error), typed: check }
  }
}

const UNSEALED =
  '本页的脚本没有运行，没能在您的设备上密封，所以什么都没有收下。请刷新本页再试；不行的话，请改用下面“不用脚本的表单”。'

/** Neither did the browser's script say that it keeps the words to itself, nor does this browser do without scripts. */
const unsealed = (): DomainError => new DomainError('invalid-input', UNSEALED)

/** Whether a page was refused for that: then it offers the form without a script. */
export const sealingRefused = (errors: readonly FieldError[]): boolean =>
  errors.some(({ message }) => message === UNSEALED)

/** @throws {DomainError} `form-token` on every page but the first, `rate-limited` */
async function startDraft({ step, locals }: Posting): Promise<{ cookie: string; draft: Draft }> {
  if (step !== '') throw new DomainError('form-token', '这份草稿已经过期，请从第一步重新填写。')
  locals.services.limits.take('drafts', locals.client)
  return locals.services.drafts.start()
}

/** A page's form as far as it could be read. */
interface ReadPost {
  readonly fields: FormFields
  /** With the photos that came along. */
  readonly draft: Draft | null
  /** Photos that were not taken; the rest of the page counts. */
  readonly photoErrors: readonly FieldError[]
  /** Why nothing of it counts. */
  readonly refused: DomainError | null
  /** Photos came too fast. */
  readonly limited: RateLimitedError | null
  readonly sealing: Sealing
}

/** Reads the page's form. Photos go into the draft one by one, so that one at most is in memory. */
async function readPost({ request, locals, cookie, draft }: Posting): Promise<ReadPost> {
  const { services, client } = locals
  const photoErrors: FieldError[] = []
  const read = {
    draft,
    refused: null as DomainError | null,
    limited: null as RateLimitedError | null,
    sealing: 'server' as Sealing,
  }
  const refusePhoto = (error: unknown): void => {
    if (!(error instanceof DomainError)) throw error
    if (error instanceof RateLimitedError) read.limited = error
    photoErrors.push({ field: 'photos', message: error.message })
  }
  try {
    const { fields } = await readForm(request, {
      maxFiles: MAX_PHOTOS,
      maxFileBytes: MAX_PHOTO_BYTES,
      maxTotalBytes: MAX_PHOTOS_BYTES,
      maxFieldBytes: 40_000,
      maxFields: 80,
      // A page that is out of date is read on, so that what was typed can be shown again.
      authorize: (given) => {
        try {
          services.formTokens.verify(given.get('token')?.[0], FORM_PURPOSE, draft?.id ?? '')
          const [sealing] = given.get('sealing') ?? []
          if (sealing !== 'browser' && sealing !== 'server') throw unsealed()
          read.sealing = sealing
        } catch (error) {
          if (!(error instanceof DomainError)) throw error
          read.refused = error
        }
      },
      onFile: async ({ bytes }) => {
        if (read.refused || !cookie || !draft || read.sealing === 'browser') return
        try {
          services.limits.take('uploads', client)
          read.draft = await services.drafts.addPhoto(cookie, bytes)
        } catch (error) {
          refusePhoto(error)
        }
      },
      onRefused: (_name, error) => refusePhoto(error),
    })
    return { ...read, fields, photoErrors }
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    return { ...read, refused: error, fields: new Map(), photoErrors }
  }
}
