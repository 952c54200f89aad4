import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { ServerEndedError, type TestServer } from '../support/server.ts'
import { startLoad } from './load.ts'
import { inspect, lostReceipts, type Place, type Undo } from './place.ts'
import { createDice, settings } from './settings.ts'
import { takePhotos, type SentTip } from './tips.ts'

const NOBODY = 'http://127.0.0.1:1'
/** The end comes after so many attempts at most, and so many milliseconds: within a request, not between two. */
const MOST_OUTCOMES = 30
const MOST_MS = 40
const MOST_START_MS = 3000

/** Servers on one place; a client finds the next living one, as behind a balancer. */
async function openFleet(undo: Undo, place: Place, size: number) {
  const servers: (TestServer | null)[] = []
  let turn = 0
  const start = async (index: number): Promise<void> => {
    servers[index] = await place.start()
  }
  for (let index = 0; index < size; index += 1) await start(index)
  undo(async () => {
    for (const server of servers) await server?.kill()
  })
  return {
    at: () => {
      const living = servers.filter((server) => server !== null)
      turn += 1
      return living[turn % living.length]?.url ?? NOBODY
    },
    start,
    /** Starts one and ends it so many milliseconds later, or as soon as it listens. */
    async startInVain(afterMs: number) {
      let end: NodeJS.Timeout | undefined
      try {
        const server = await place.start((pid) => {
          end = setTimeout(() => process.kill(pid, 'SIGKILL'), afterMs)
        })
        await server.kill()
      } catch (error) {
        if (!(error instanceof ServerEndedError)) throw error
      } finally {
        clearTimeout(end)
      }
    },
    async kill(index: number) {
      const server = servers[index]
      servers[index] = null
      await server?.kill()
    },
    async stop() {
      const codes = await Promise.all(servers.map(async (server) => server?.stop()))
      servers.fill(null)
      return codes
    },
  }
}

/** So many sudden ends of one server or several on one place, at random moments under load. */
export async function killAtRandom(
  undo: Undo,
  name: string,
  place: Place,
  { servers: size, kills }: { readonly servers: number; readonly kills: number },
): Promise<void> {
  const dice = createDice(name)
  const photos = await takePhotos(dice, 6)
  const fleet = await openFleet(undo, place, size)
  const load = startLoad({ name, at: fleet.at, photos })
  let checked = 0
  const check = async (promised: readonly SentTip[]): Promise<void> => {
    expect(await lostReceipts(fleet.at(), promised.slice(checked))).toEqual([])
    checked = promised.length
  }
  for (let kill = 1; kill <= kills; kill += 1) {
    await load.outcomes(1 + dice.below(MOST_OUTCOMES))
    await pause(dice.below(MOST_MS))
    // Now and then all of them at once.
    const victims = dice.below(4) === 0 ? [...Array(size).keys()] : [dice.below(size)]
    const promised = load.tips.filter(({ receipt }) => receipt !== null)
    await Promise.all(victims.map((index) => fleet.kill(index)))
    load.hold()
    // Also while it starts, when the embedded database reads its log.
    if (dice.below(4) === 0) await fleet.startInVain(dice.below(MOST_START_MS))
    for (const index of victims) await fleet.start(index)
    await check(promised)
    load.resume()
  }
  await load.finish()
  await check(load.tips)
  for (const tip of load.tips.slice(-20)) {
    expect((await tip.repeat()).code, tip.description).toBe(tip.receipt?.code)
  }
  expect(await fleet.stop()).toEqual(Array(size).fill(0))
  expect(existsSync(join(place.dataDir, 'lock'))).toBe(false)
  const { cases, photos: opened, complaints, leftBlobs } = await inspect(place, load.tips)
  console.log(
    `faults: ${name}, seed ${settings.seed}: ${kills} kills, ${cases} tips acknowledged, ${opened} photos opened, ` +
      `${load.cuts} answers cut off, ${leftBlobs} blobs swept, ${complaints.length} complaints`,
  )
  expect(complaints).toEqual([])
  expect(cases).toBe(load.tips.length)
}
