import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { photoRefusal } from '../../src/domain/photo.ts'
import type { TestServer } from '../support/server.ts'
import { childrenOf } from './cluster.ts'
import { startLoad } from './load.ts'
import { postgres } from './means.ts'
import { inspect, openPlace, undoAfterAll, type Place } from './place.ts'
import { createDice, settings } from './settings.ts'
import { apiTip, takePhotos, type SentTip } from './tips.ts'

const MOST_MS = 60

const undo = undoAfterAll()

const isWorker = (pid: number): boolean =>
  existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('photo-worker')

describe.skipIf(process.platform !== 'linux')('the photo decoder', () => {
  let place: Place
  let site: TestServer
  let photos: readonly Uint8Array[]
  const tips: SentTip[] = []
  const dice = createDice('decoder')
  const at = () => site.url

  beforeAll(async () => {
    place = await openPlace(undo, postgres)
    site = await place.start()
    undo(() => site.kill())
    photos = await takePhotos(dice, 4)
  })

  it('killed in the middle costs its photo a clear refusal, and the next is taken', async () => {
    const load = startLoad({
      name: 'decoder',
      at,
      photos,
      photoCounts: [1, 2],
      mayRefuse: ({ status, why }) =>
        (status === 422 && (why === '/problems/photo-rejected/' || why === photoRefusal('damaged'))) ||
        (status === 503 && why === '/problems/photos-unavailable/') ||
        (status === 422 && why.startsWith('照片暂时不能接收')),
    })
    const wanted = settings.kills ?? (settings.short ? 10 : 200)
    let kills = 0
    while (kills < wanted) {
      await load.outcomes(1 + dice.below(4))
      await pause(dice.below(MOST_MS))
      const workers = childrenOf(site.pid).filter(isWorker)
      if (workers.length === 0) continue
      process.kill(dice.oneOf(workers), 'SIGKILL')
      kills += 1
    }
    await load.finish()
    tips.push(...load.tips)
    const refused = [...load.refusals].map(([status, count]) => `${count} × ${status}`).join(', ')
    console.log(
      `faults: decoder, seed ${settings.seed}: ${kills} kills, ${load.tips.length} tips acknowledged, ` +
        `refused ${refused || 'none'}, ${load.cuts} answers cut off`,
    )
    expect(load.cuts).toBe(0)
  })

  // The decoder has 15 s for a photo; nothing shortens them from outside.
  it.skipIf(settings.short)(
    'that hangs costs its photo a clear refusal, and others are taken meanwhile',
    async () => {
      const [stuck] = childrenOf(site.pid).filter(isWorker)
      if (stuck === undefined) throw new Error('no decoder is warm')
      process.kill(stuck, 'SIGSTOP')
      const given = Array.from({ length: 4 }, (_, index) =>
        apiTip(at, dice, `解码程序停住时的第 ${index + 1} 件，锅炉冒黑烟。`, [dice.oneOf(photos)]),
      )
      const outcomes = await Promise.all(given.map((tip) => tip.send()))
      expect(outcomes.filter(({ got }) => got === 'receipt').length).toBeGreaterThanOrEqual(2)
      expect(outcomes.filter(({ got }) => got === 'refusal')).toEqual([
        { got: 'refusal', status: 422, why: '/problems/photo-rejected/' },
      ])
      for (const tip of given) {
        if (!tip.receipt) expect(await tip.send()).toEqual({ got: 'receipt' })
      }
      tips.push(...given)
    },
  )

  it('leaves nothing behind of what was refused', async () => {
    expect(await site.stop()).toBe(0)
    const { complaints, leftBlobs } = await inspect(place, tips)
    expect(complaints).toEqual([])
    expect(leftBlobs).toBe(0)
  })
})
