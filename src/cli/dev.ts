import { readConfig } from '../config.ts'
import { runAstro } from './build.ts'
import { runCommand } from './command.ts'

const HELP = `
Usage: npm run dev

Serves the site from its sources and follows every change. Takes the settings of "npm start" (see npm start -- --help).

  --help   show this
`

async function dev(): Promise<void> {
  const config = readConfig(process.env)
  process.exitCode = await runAstro(['dev', '--host', config.host, '--port', String(config.port)])
}

await runCommand({ help: HELP, run: dev })
