import { expect, it } from 'vitest'
import type { RecipientEntry } from '../../src/sealing/recipient-list.ts'
import { proofFrom } from '../support/gate.ts'
import { jpegWithExif } from '../support/images.ts'
import { NARRATIVE, newSecrets, patch, sealedTip, sealPhoto, upload } from '../support/sealed.ts'
import { postgres } from './means.ts'
import { inspect, openPlace, undoAfterAll } from './place.ts'

const undo = undoAfterAll()
const PIECE = 64 * 1024

it('kill -9 between two pieces: the upload goes on where it was acknowledged, and the photo opens', async () => {
  const place = await openPlace(undo, postgres)
  let server = await place.start()
  undo(() => server.kill())
  const api = () => `${server.url}/api/v1`
  const ask = async <T>(path: string) => (await (await fetch(api() + path)).json()) as T

  const { items } = await ask<{ items: RecipientEntry[] }>('/recipients')
  const { readers } = await ask<{ readers: string[] }>('/routing?category=boiler-coal&area=410102001')
  const keys = readers.map((department) => {
    const key = items.findLast(({ owner }) => owner === department)
    if (!key) throw new Error(`no key of ${department}`)
    return { department, epoch: key.epoch, recipient: key.recipient }
  })
  const secrets = await newSecrets()
  const photo = await jpegWithExif({ width: 900, height: 700 })
  const { copy, original } = await sealPhoto(secrets, 0, photo)
  expect(original.length).toBeGreaterThan(2 * PIECE)
  const gate = await proofFrom(server.url)

  const begun = await fetch(`${api()}/uploads`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ size: original.length, gate }),
  })
  const { id } = (await begun.json()) as { id: string }
  expect((await patch(api(), id, 0, original.slice(0, PIECE))).status).toBe(200)
  await server.kill()
  await expect(patch(api(), id, PIECE, original.slice(PIECE))).rejects.toThrow()
  server = await place.start()

  const state = await fetch(`${api()}/uploads/${id}`, { method: 'HEAD' })
  expect(state.headers.get('upload-offset')).toBe(String(PIECE))
  const rest = await patch(api(), id, PIECE, original.slice(PIECE))
  expect([rest.status, rest.headers.get('upload-offset')]).toEqual([200, String(original.length)])
  const photos = [{ part: 0, copy: await upload(api(), copy, { gate }), original: id }]
  const filed = await fetch(`${api()}/tips`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': secrets.idempotencyKey },
    body: JSON.stringify({ gate, sealed: await sealedTip(secrets, keys, { photos }) }),
  })
  expect(filed.status).toBe(201)
  const { caseNo } = (await filed.json()) as { caseNo: string }

  expect(await server.stop()).toBe(0)
  const tip = {
    description: NARRATIVE.description,
    photos: [photo],
    receipt: { code: secrets.receiptCode, caseNo },
  }
  expect(await inspect(place, [tip])).toEqual({ cases: 1, photos: 1, complaints: [], leftBlobs: 0 })
})
