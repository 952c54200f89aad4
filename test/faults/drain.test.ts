import { request, type ClientRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { plainTip, tipForm } from '../support/app.ts'
import type { TestServer } from '../support/server.ts'
import { startLoad } from './load.ts'
import { postgres } from './means.ts'
import { caseBehind, inspect, lostReceipts, openPlace, undoAfterAll } from './place.ts'
import { createDice, settings } from './settings.ts'
import { parseReceiptCode } from '../../src/domain/receipt.ts'
import { takePhotos } from './tips.ts'

const undo = undoAfterAll()

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A tip with a photo whose sender has sent one half and decides when the other comes. */
async function halfSent(url: string, key: string, photo: Uint8Array) {
  const form = new Response(tipForm(plainTip(), [photo]))
  const body = Buffer.from(await form.arrayBuffer())
  const half = body.length >> 1
  let upload: ClientRequest | undefined
  const answer = new Promise<Answer | null>((resolve) => {
    upload = request(
      `${url}/api/v1/tips`,
      {
        method: 'POST',
        headers: {
          'idempotency-key': key,
          'content-type': form.headers.get('content-type') ?? '',
          'content-length': body.length,
          // Told by the server itself: a connection that waits to be accepted is not under way.
          expect: '100-continue',
        },
      },
      (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('error', () => resolve(null))
        reply.on('end', () =>
          resolve({
            status: reply.statusCode ?? 0,
            headers: reply.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      },
    )
    upload.on('error', () => resolve(null))
  })
  upload?.flushHeaders()
  await new Promise<void>((resolve) => upload?.once('continue', resolve))
  upload?.write(body.subarray(0, half))
  return {
    answer,
    sendRest: () => upload?.end(body.subarray(half)),
  }
}

function accepts({ url }: TestServer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

describe('SIGTERM under load', () => {
  it('finishes what arrives in time and refuses the rest with a 503', async () => {
    const place = await openPlace(undo, postgres)
    const dice = createDice('drain')
    const photos = await takePhotos(dice, 4)
    const [photo = new Uint8Array()] = photos
    let server = await place.start()
    undo(() => server.kill())
    const load = startLoad({ name: 'drain', at: () => server.url, photos })
    await load.outcomes(10 + dice.below(20))

    const inTime = await halfSent(server.url, 'an-upload-that-ends', photo)
    const never = await halfSent(server.url, 'an-upload-that-hangs', photo)
    const ended = server.stop()
    await expect.poll(() => accepts(server)).toBe(false)
    inTime.sendRest()

    const finished = await inTime.answer
    expect(finished?.status).toBe(201)
    // Nobody shall send a second request on a connection that is about to end.
    expect(finished?.headers['connection']).toBe('close')
    const refused = await never.answer
    expect(refused?.status).toBe(503)
    expect(refused?.headers).toMatchObject({ 'retry-after': '30', 'cache-control': 'no-store' })
    expect(JSON.parse(refused?.text ?? '')).toMatchObject({ type: '/problems/intake-closed/', status: 503 })
    expect(await ended).toBe(0)

    server = await place.start()
    const { receiptCode, caseNo } = JSON.parse(finished?.text ?? '') as {
      receiptCode: string
      caseNo: string
    }
    expect(await caseBehind(server.url, receiptCode)).toBe(caseNo)
    await load.finish()
    expect(await lostReceipts(server.url, load.tips)).toEqual([])
    expect(await server.stop()).toBe(0)
    const own = {
      description: plainTip()['description'] as string,
      photos: [photo],
      receipt: { code: parseReceiptCode(receiptCode) ?? '', caseNo },
    }
    const { cases, complaints } = await inspect(place, [...load.tips, own])
    console.log(
      `faults: drain, seed ${settings.seed}: ${cases} tips acknowledged, ${load.cuts} connections ended, ` +
        `${complaints.length} complaints`,
    )
    expect(complaints).toEqual([])
  })
})
