import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import type { TestProject } from 'vitest/node'
import { connectPglite, connectPostgres, type Connection } from '../../src/db/connect.ts'
import { installJobs } from '../../src/db/job-schema.ts'
import { migrate } from '../../src/db/migrate.ts'
import { ensurePlan } from '../../src/db/ensure-plan.ts'
import { administer, databaseUrl, type TestDatabaseSource } from './database.ts'

async function fill(connection: Connection): Promise<void> {
  try {
    await migrate(connection.db)
    await installJobs(connection)
    await ensurePlan(connection.db)
  } finally {
    await connection.close()
  }
}

async function preparePglite(): Promise<{ source: TestDatabaseSource; remove: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'lantian-image-'))
  await fill(await connectPglite(join(dir, 'pglite')))
  const pglite = await PGlite.create({ dataDir: join(dir, 'pglite') })
  const dump = await pglite.dumpDataDir('none')
  await pglite.close()
  const image = join(dir, 'image.tar')
  writeFileSync(image, Buffer.from(await dump.arrayBuffer()))
  return {
    source: { engine: 'pglite', image },
    remove: async () => {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function preparePostgres(
  server: string,
): Promise<{ source: TestDatabaseSource; remove: () => Promise<void> }> {
  const template = `lantian_test_${process.pid}_${Date.now().toString(36)}`
  await administer(server, `create database ${template}`)
  const remove = (): Promise<void> => administer(server, `drop database if exists ${template} with (force)`)
  try {
    await fill(connectPostgres(databaseUrl(server, template), 1))
  } catch (error) {
    await remove()
    throw error
  }
  return { source: { engine: 'postgres', server, template }, remove }
}

/** Makes one migrated database with the plan in it; every test file begins from a copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = process.env['LANTIAN_TEST_URL']
  const onPostgres = process.env['LANTIAN_TEST_ENGINE'] === 'postgres'
  if (onPostgres && !server) throw new Error('LANTIAN_TEST_ENGINE=postgres needs LANTIAN_TEST_URL')
  const { source, remove } = await (onPostgres && server ? preparePostgres(server) : preparePglite())
  project.provide('testDatabase', source)
  return remove
}
