import { it } from 'vitest'
import { killAtRandom } from './kill.ts'
import { postgres } from './means.ts'
import { openPlace, undoAfterAll } from './place.ts'
import { settings } from './settings.ts'

const undo = undoAfterAll()

it.skipIf(postgres === null)(
  'kill -9 under 20 submitters loses nothing on PostgreSQL, with two servers on one database',
  async () => {
    await killAtRandom(undo, 'kill, PostgreSQL', await openPlace(undo, postgres), {
      servers: 2,
      kills: settings.kills ?? (settings.short ? 3 : 200),
    })
  },
)
