import { it } from 'vitest'
import { killAtRandom } from './kill.ts'
import { openPlace, undoAfterAll } from './place.ts'
import { settings } from './settings.ts'

const undo = undoAfterAll()

it('kill -9 under 20 submitters loses nothing on the embedded database', async () => {
  await killAtRandom(undo, 'kill, PGlite', await openPlace(undo, null), {
    servers: 1,
    kills: settings.kills ?? (settings.short ? 2 : 200),
  })
})
