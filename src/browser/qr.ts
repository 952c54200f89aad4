import { create } from 'qrcode'

/** A QR code as one SVG path of unit squares, and its size in modules with the quiet zone of four. */
export function qrPath(text: string): { readonly path: string; readonly size: number } {
  const { modules } = create(text, { errorCorrectionLevel: 'M' })
  const quiet = 4
  const squares: string[] = []
  for (let y = 0; y < modules.size; y += 1) {
    for (let x = 0; x < modules.size; x += 1) {
      if (modules.get(y, x)) squares.push(`M${x + quiet} ${y + quiet}h1v1h-1z`)
    }
  }
  return { path: squares.join(''), size: modules.size + 2 * quiet }
}
