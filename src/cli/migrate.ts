import { join } from 'node:path'
import { lockData } from '../adapters/data-lock.ts'
import { readConfig } from '../config.ts'
import { connectPglite, connectPostgres } from '../db/connect.ts'
import { ensurePlan } from '../db/ensure-plan.ts'
import { installJobs } from '../db/job-schema.ts'
import { migrate } from '../db/migrate.ts'
import { runCommand } from './command.ts'

const HELP = `
Usage: npm run db:migrate

Brings the database up to date and writes the plan into one that has none: PostgreSQL when DATABASE_URL is set,
else the embedded database in DATA_DIR (which "npm start" also does by itself).

  --help   show this
`

async function run(): Promise<void> {
  const config = readConfig(process.env)
  const release = config.databaseUrl === null ? lockData(config.dataDir) : () => {}
  try {
    const connection =
      config.databaseUrl === null
        ? await connectPglite(join(config.dataDir, 'pglite'))
        : connectPostgres(config.databaseUrl, 2)
    try {
      const applied = await migrate(connection.db)
      if (await installJobs(connection)) applied.push('job queue')
      await ensurePlan(connection.db)
      console.log(applied.length === 0 ? 'Nothing to apply.' : `Applied: ${applied.join(', ')}`)
    } finally {
      await connection.close()
    }
  } finally {
    release()
  }
}

await runCommand({ help: HELP, run })
