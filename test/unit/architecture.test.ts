import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What one room may take from other rooms of the house (always from itself too), and from packages. */
interface Rule {
  readonly values: readonly string[]
  /** Rooms whose types may be named beside those; `*` is any. */
  readonly types?: readonly string[]
  /** Packages whose values may be used; absent: any. */
  readonly packages?: readonly string[]
}

const MARKUP = ['pages', 'layouts', 'components', 'content', 'domain', 'schemas', 'browser', 'styles', 'i18n']
const EVERYTHING: Rule = { values: ['*'] }

const RULES: Readonly<Record<string, Rule>> = {
  domain: { values: [], packages: [] },
  content: { values: ['domain'], packages: [] },
  schemas: { values: ['domain', 'sealing'], packages: ['zod', 'csv-parse'] },
  sealing: {
    values: ['domain'],
    packages: ['age-encryption', '@noble/curves', '@noble/hashes', 'hash-wasm'],
  },
  browser: {
    values: ['domain', 'sealing', 'schemas'],
    types: ['*'],
    packages: ['age-encryption', 'hash-wasm', 'qrcode', '@simplewebauthn/browser'],
  },
  db: { values: ['domain', 'db/migrations', 'db/seed'], types: ['sealing'] },
  'db/migrations': { values: [], packages: ['kysely'] },
  'db/seed': { values: ['domain'] },
  services: {
    values: ['domain', 'db', 'db/seed', 'sealing', 'content', 'schemas'],
    types: ['config.ts'],
  },
  // A port comes with its checks (`assertFileKey`).
  adapters: { values: ['domain', 'sealing', 'services'] },
  demo: { values: ['domain', 'db', 'db/seed', 'sealing', 'services'] },
  http: { values: ['domain'], types: ['services'] },
  api: {
    values: ['services', 'domain', 'schemas', 'http', 'content', 'sealing'],
    types: ['runtime.ts', 'fetch.ts', 'config.ts'],
  },
  // Pages take the services from Astro.locals: a second copy of the modules would open the database twice.
  pages: { values: [...MARKUP, 'http', 'api'], types: ['services', 'config.ts'] },
  layouts: { values: MARKUP, types: ['services', 'config.ts'] },
  components: { values: MARKUP, types: ['services', 'config.ts'] },
  i18n: { values: ['domain'], packages: [] },
  styles: { values: [] },
  'config.ts': { values: ['domain'], packages: ['zod', 'node:path'] },
  'env.d.ts': { values: [], types: ['*'] },
  'runtime.ts': EVERYTHING,
  'fetch.ts': { values: ['api', 'domain', 'http', 'runtime.ts'], types: ['*'] },
  'server.ts': { values: ['config.ts', 'http', 'cli'], types: ['*'] },
  cli: {
    values: ['adapters', 'config.ts', 'db', 'domain', 'sealing', 'runtime.ts', 'server.ts'],
    types: ['*'],
  },
}

interface Arrow {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

/** `src/domain/tip.ts` lies in `domain`, `src/config.ts` in itself, `db/seed/plan.ts` in `db/seed`. */
function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'src' ? second : `${top}/${second}`
}

/** The TypeScript of a file: for a page, what stands between the fences and in its scripts. */
function codeOf(path: string, text: string): string {
  if (!path.endsWith('.astro')) return text
  const fence = /^---\n([\s\S]*?)\n---/.exec(text)?.[1] ?? ''
  const scripts = [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '')
  return [fence, ...scripts].join('\n')
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  const clause = node.importClause
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause.namedBindings
  return (
    !clause.name &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.length > 0 &&
    bindings.elements.every((element) => element.isTypeOnly)
  )
}

/** Every import of a file, static or not. */
function importsOf(path: string, text: string): { specifier: string; typeOnly: boolean }[] {
  const source = ts.createSourceFile(`${path}.ts`, codeOf(path, text), ts.ScriptTarget.Latest, true)
  const found: { specifier: string; typeOnly: boolean }[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly: isTypeOnly(node) })
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument && ts.isStringLiteral(argument)) found.push({ specifier: argument.text, typeOnly: false })
    }
    if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    ) {
      found.push({ specifier: node.argument.literal.text, typeOnly: true })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function arrowsOf(path: string, text: string): Arrow[] {
  return importsOf(path, text).map(({ specifier, typeOnly }) => ({
    from: path,
    to: specifier.startsWith('.')
      ? posix.normalize(posix.join(posix.dirname(path), specifier.replace(/\?.*$/, '')))
      : specifier,
    typeOnly,
  }))
}

/** Why an arrow is forbidden, or null. */
function objection({ from, to, typeOnly }: Arrow): string | null {
  const room = roomOf(from)
  const rule = RULES[room]
  if (!rule) return `${from}: no rule for the room ${room}`
  const own = to.startsWith('src/') || to.startsWith('db/')
  if (!own) {
    if (to.startsWith('test/')) return `${from} takes from the tests (${to})`
    if (typeOnly || !rule.packages) return null
    const allowed = rule.packages.some((name) => to === name || to.startsWith(`${name}/`))
    return allowed ? null : `${from} -> ${to} (package)`
  }
  const target = roomOf(to)
  if (target === room) return null
  const allowed = typeOnly ? [...rule.values, ...(rule.types ?? [])] : rule.values
  return allowed.includes('*') || allowed.includes(target)
    ? null
    : `${from} -> ${to}${typeOnly ? ' (type)' : ''}`
}

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|astro)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

describe('imports', () => {
  const files = [...filesIn('src'), ...filesIn('db')]
  const arrows = files.flatMap((path) => arrowsOf(path, readFileSync(join(ROOT, path), 'utf8')))

  it('go one way through the rooms', () => {
    expect(arrows.length).toBeGreaterThan(100)
    expect(arrows.map(objection).filter((line) => line !== null)).toEqual([])
  })

  it('of our own files name a file that exists, with its ending', () => {
    const known = new Set(files)
    const lost = arrows.filter(
      ({ to }) => /^(?:src|db)\/.*/.test(to) && /\.(?:ts|astro)$|\/[^.]*$/.test(to) && !known.has(to),
    )
    expect(lost.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it.each([
    ['src/pages/index.astro', "---\nimport { createTips } from '../services/tips.ts'\n---\n<p></p>"],
    ['src/pages/index.astro', "<script>import { connectPostgres } from '../db/connect.ts'</script>"],
    ['src/domain/tip.ts', "import type { Db } from '../db/connect.ts'"],
    ['src/domain/tip.ts', "import { randomBytes } from 'node:crypto'"],
    ['src/browser/form.ts', "const x = await import('../services/tips.ts')"],
    ['src/sealing/x.ts', "export * from '../db/tips.ts'"],
    ['src/schemas/x.ts', "import type { Tips } from '../services/tips.ts'"],
    ['src/services/x.ts', "import { createDiskFiles } from '../adapters/disk-files.ts'"],
    ['db/migrations/x.ts', "import type { Database } from '../../src/db/tables.ts'"],
  ])('are refused: %s with %s', (path, text) => {
    expect(arrowsOf(path, text).map(objection)).toEqual([expect.stringContaining(path)])
  })

  it.each([
    ['src/pages/index.astro', "---\nimport type { Reading } from '../services/reading.ts'\n---\n"],
    ['src/services/x.ts', "import { transition } from '../domain/case-transition.ts'"],
    ['src/browser/form.ts', "import { type Tips } from '../services/tips.ts'"],
  ])('are allowed: %s with %s', (path, text) => {
    expect(arrowsOf(path, text).map(objection)).toEqual([null])
  })
})

describe('packages', () => {
  it('that are imported are declared', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as {
      dependencies: Record<string, string>
      devDependencies: Record<string, string>
    }
    const given = new Set([...builtinModules, 'astro'])
    const missing = (folders: readonly string[], declared: Record<string, string>): string[] =>
      folders
        .flatMap((folder) => filesIn(folder))
        .flatMap((path) => importsOf(path, readFileSync(join(ROOT, path), 'utf8')))
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ specifier }) => specifier)
        .filter((specifier) => !/^(?:\.|node:|astro:)/.test(specifier))
        .map((specifier) =>
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((name) => !given.has(name) && !(name in declared))
    expect(missing(['src', 'db'], dependencies)).toEqual([])
    expect(missing(['test'], { ...dependencies, ...devDependencies })).toEqual([])
  })
})
