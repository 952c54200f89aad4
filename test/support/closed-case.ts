import { randomUUID } from 'node:crypto'
import { addDays, startOfDay, type Day } from '../../src/domain/day.ts'
import { plainTip, signInAs, tipForm, type TestApp, type TestMember } from './app.ts'

/** A tip as filed, and what leads to it. */
export interface Filed {
  readonly caseNo: string
  readonly tipId: string
  readonly receiptCode: string
}

export async function fileTip(
  app: TestApp,
  part: Readonly<Record<string, unknown>> = {},
  photos: readonly Uint8Array[] = [],
  lane: 'normal' | 'unverified' = 'normal',
): Promise<Filed> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
    body: tipForm(plainTip(part), photos),
  })
  if (reply.status !== 201) throw new Error(`not filed: ${await reply.text()}`)
  const { caseNo, receiptCode } = (await reply.json()) as { caseNo: string; receiptCode: string }
  const { id } = await app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select('tip.id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  // It came without a proof.
  await app.database.db.updateTable('case_file').set({ lane }).where('case_no', '=', caseNo).execute()
  return { caseNo, tipId: id, receiptCode }
}

/** Who works the cases of {@link fileTip}, and who publishes them. */
export async function staffOf(app: TestApp): Promise<{ officer: TestMember; publisher: TestMember }> {
  return {
    officer: await signInAs(app, 'qu-huanbao', ['officer']),
    publisher: await signInAs(app, 'qu-daqiban', ['publisher']),
  }
}

/** Takes a case from its filing to its publication. */
export async function publishCase(
  app: TestApp,
  { officer, publisher }: { readonly officer: TestMember; readonly publisher: TestMember },
  caseNo: string,
  outcome: 'substantiated' | 'unsubstantiated' | 'outside' = 'unsubstantiated',
): Promise<void> {
  const { cases } = app.services
  const officerDoes = async (request: Omit<Parameters<typeof cases.act>[2], 'version'>) => {
    const { item } = await cases.detail(officer.session, caseNo)
    await cases.act(officer.session, caseNo, { ...request, version: item.version })
  }
  await officerDoes({ action: 'accept' })
  await officerDoes({ action: 'work' })
  await cases.addProof(officer.session, caseNo, {
    kind: 'decision-number',
    caption: '一份文书',
    blobKey: null,
  })
  await officerDoes({
    action: 'conclude',
    outcome,
    statement: '已经查看，没有发现。',
    ...(outcome === 'outside' ? { competentBody: '市生态环境局' } : {}),
  })
  const { item } = await cases.detail(publisher.session, caseNo)
  await cases.act(publisher.session, caseNo, { action: 'publish', version: item.version })
}

/** Noon of a day some days after another. */
export const noonAfter = (day: Day, days: number): Date =>
  new Date(startOfDay(addDays(day, days)).getTime() + 12 * 3_600_000)
