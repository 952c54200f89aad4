import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AuditMark, AuditMarks } from '../services/ports.ts'

function parse(line: string): AuditMark | null {
  try {
    const { at, count, hash } = JSON.parse(line) as Record<string, unknown>
    const when = new Date(String(at))
    if (Number.isNaN(when.getTime()) || !Number.isSafeInteger(count) || typeof hash !== 'string') return null
    return { at: when, count: count as number, hash }
  } catch {
    return null
  }
}

/**
 * Notes of where the audit's chain ended, one line each, in a file beside the server's secrets that is only ever
 * added to: nobody who only writes the database can reach it.
 * @param path e.g. `data/keys/audit-heads.jsonl`
 */
export function createAuditMarks(path: string): AuditMarks {
  const textOf = (): Promise<string> =>
    readFile(path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      throw error
    })
  return {
    async read() {
      const text = await textOf()
      const lines = text.split('\n').filter((line) => line !== '')
      const marks = lines.map(parse).filter((mark) => mark !== null)
      return { marks, unreadable: lines.length - marks.length }
    },
    async append({ at, count, hash }) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      // Should the last line have been cut by a crash, this one begins on its own.
      const text = await textOf()
      const start = text === '' || text.endsWith('\n') ? '' : '\n'
      const line = JSON.stringify({ at: at.toISOString(), count, hash })
      await appendFile(path, `${start}${line}\n`, { mode: 0o600, flush: true })
    },
  }
}

/** The same in memory. */
export function createMemoryAuditMarks(): AuditMarks {
  const marks: AuditMark[] = []
  return {
    read: () => Promise.resolve({ marks: [...marks], unreadable: 0 }),
    append: (mark) => {
      marks.push(mark)
      return Promise.resolve()
    },
  }
}
