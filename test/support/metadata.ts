import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Everything in a JPEG that is not needed to draw it: application segments other than a bare JFIF head (no thumbnail),
 * comments, unknown markers, bytes behind the end. Empty for a picture that carries nothing else.
 */
export function extrasOfJpeg(bytes: Uint8Array): string[] {
  const file = Buffer.from(bytes)
  const extras: string[] = []
  // Quantization, Huffman, frame heads, restart interval.
  const drawn = new Set([0xdb, 0xc4, 0xc0, 0xc1, 0xc2, 0xdd])
  if (file.readUInt16BE(0) !== 0xffd8) return ['not a JPEG']
  let at = 2
  for (;;) {
    if (at + 2 > file.length) return [...extras, 'no end']
    if (file[at] !== 0xff) return [...extras, `stray bytes at ${at}`]
    const marker = file[at + 1] ?? 0
    if (marker === 0xd9) break
    const length = file.readUInt16BE(at + 2)
    const bareHead = marker === 0xe0 && length === 16 && file.toString('latin1', at + 4, at + 9) === 'JFIF\0'
    if (!bareHead && !drawn.has(marker) && marker !== 0xda) extras.push(`segment ${marker.toString(16)}`)
    at += 2 + length
    if (marker !== 0xda) continue
    // Coded data: a marker in it is a stuffed zero or a restart, until the next segment.
    while (at < file.length && !(file[at] === 0xff && !/^(00|d[0-7])$/.test(hex(file[at + 1])))) at++
  }
  if (at + 2 !== file.length) extras.push(`${file.length - at - 2} bytes behind the end`)
  return extras
}

const hex = (byte = 0xff): string => byte.toString(16).padStart(2, '0')

/** What two independent programs find in a picture, or null (said loudly) for one that is not installed. */
export function foundByOthers(bytes: Uint8Array): {
  exiftool: Record<string, unknown> | null
  mat2: string | null
} {
  const folder = mkdtempSync(join(tmpdir(), 'metadata-'))
  const path = join(folder, 'picture.jpg')
  writeFileSync(path, bytes)
  try {
    return { exiftool: byExiftool(path), mat2: byMat2(path) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function isInstalled(program: string): boolean {
  const there = spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0
  if (!there)
    console.warn(`SKIPPED: ${program} is not installed; only our own reading of the file was checked.`)
  return there
}

/** Tags beyond the file system's and those of the picture's own frame. */
function byExiftool(path: string): Record<string, unknown> | null {
  if (!isInstalled('exiftool')) return null
  const [tags] = JSON.parse(
    execFileSync('exiftool', ['-json', '-G0', '-a', '-u', '-ee', path], { encoding: 'utf8' }),
  ) as [Record<string, unknown>]
  const kept = Object.entries(tags).filter(
    ([name]) => !/^(SourceFile$|ExifTool:|File:|Composite:|JFIF:)/.test(name),
  )
  const comment = Object.entries(tags).filter(([name]) => /Comment/i.test(name))
  return Object.fromEntries([...kept, ...comment])
}

function byMat2(path: string): string | null {
  if (!isInstalled('mat2')) return null
  return execFileSync('mat2', ['--show', path], { encoding: 'utf8' })
}
