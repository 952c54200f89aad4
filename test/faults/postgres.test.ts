import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createCluster } from './cluster.ts'
import { startLoad } from './load.ts'
import { binaries } from './means.ts'
import { inspect, lostReceipts, preparePlace, temporaryFolder, undoAfterAll } from './place.ts'
import { createDice, settings } from './settings.ts'
import { takePhotos } from './tips.ts'

const MOST_OUTCOMES = 60
const MOST_MS = 60
/** Away for so long at most: requests that come meanwhile are refused. */
const MOST_AWAY_MS = 600

const undo = undoAfterAll()

describe.skipIf(binaries === null)('PostgreSQL killed under load', () => {
  it('loses nothing it confirmed, and the server serves again by itself', async () => {
    const name = 'PostgreSQL killed'
    const dice = createDice(name)
    const cluster = await createCluster(binaries ?? '', temporaryFolder(undo))
    undo(() => cluster.stop())
    await cluster.start()
    const place = await preparePlace(cluster.url, temporaryFolder(undo))
    const server = await place.start()
    undo(() => server.kill())
    const load = startLoad({
      name,
      at: () => server.url,
      photos: await takePhotos(dice, 6),
      mayRefuse: ({ status }) => status === 503,
    })
    const kills = settings.kills ?? (settings.short ? 2 : 60)
    let checked = 0
    for (let kill = 1; kill <= kills; kill += 1) {
      await load.outcomes(10 + dice.below(MOST_OUTCOMES))
      await pause(dice.below(MOST_MS))
      const promised = load.tips.filter(({ receipt }) => receipt !== null)
      load.hold()
      await cluster.kill(dice.below(2) === 0)
      await pause(dice.below(MOST_AWAY_MS))
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
      await cluster.start()
      await expect
        .poll(async () => (await fetch(`${server.url}/readyz`)).status, { timeout: 15_000 })
        .toBe(200)
      expect(await lostReceipts(server.url, promised.slice(checked))).toEqual([])
      checked = promised.length
      load.resume()
    }
    await load.finish()
    expect(await lostReceipts(server.url, load.tips)).toEqual([])
    for (const tip of load.tips.slice(-20)) {
      expect((await tip.repeat()).code, tip.description).toBe(tip.receipt?.code)
    }
    expect(await server.stop()).toBe(0)
    const { cases, photos, complaints, leftBlobs } = await inspect(place, load.tips)
    console.log(
      `faults: ${name}, seed ${settings.seed}: ${kills} kills, ${cases} tips acknowledged, ${photos} photos opened, ` +
        `${load.refusals.get(503) ?? 0} refused with 503, ${load.cuts} answers cut off, ${leftBlobs} blobs swept, ` +
        `${complaints.length} complaints`,
    )
    expect(complaints).toEqual([])
    expect(cases).toBe(load.tips.length)
    expect([...load.refusals.keys()]).toEqual([503])
    expect(load.cuts).toBe(0)
  })
})
