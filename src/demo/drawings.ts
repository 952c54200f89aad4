/** What a drawing of the demonstration shows. */
export type Scene =
  | 'site'
  | 'covered-site'
  | 'chimney'
  | 'barbecue'
  | 'truck'
  | 'burning'
  | 'street'
  | 'vent'
  | 'river-bank'
  | 'yard'

const WIDTH = 960
const HEIGHT = 640
const GROUND = 430

const rect = (x: number, y: number, width: number, height: number, fill: string, more = ''): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}" ${more}/>`
const circle = (x: number, y: number, r: number, fill: string, opacity = 1): string =>
  `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}" opacity="${opacity}"/>`
const path = (d: string, fill: string, more = ''): string => `<path d="${d}" fill="${fill}" ${more}/>`

/** Clouds that grow and fade as they rise. */
const smoke = (x: number, y: number, fill: string, puffs = 6): string =>
  Array.from({ length: puffs }, (_, index) =>
    circle(x + index * 44, y - index * 30 + (index % 2) * 16, 30 + index * 12, fill, 0.75 - index * 0.1),
  ).join('')

const houses = (fill: string): string =>
  [0, 1, 2, 3, 4, 5, 6]
    .map((index) => {
      const height = 90 + ((index * 53) % 110)
      const x = 20 + index * 136
      const windows = [0, 1, 2]
        .map((column) => rect(x + 18 + column * 28, GROUND - height + 22, 14, 18, '#f4f1e6'))
        .join('')
      return rect(x, GROUND - height, 104, height, fill) + windows
    })
    .join('')

const heaps = (fill: string): string =>
  path(`M60 ${GROUND + 90} Q190 ${GROUND - 90} 330 ${GROUND + 90} Z`, fill) +
  path(`M290 ${GROUND + 100} Q430 ${GROUND - 40} 560 ${GROUND + 100} Z`, fill)

const digger =
  rect(640, GROUND - 20, 150, 56, '#d9a21b', 'rx="10"') +
  rect(660, GROUND - 86, 84, 70, '#e8b93a', 'rx="8"') +
  rect(676, GROUND - 74, 50, 36, '#cfe3f0') +
  path(
    `M640 ${GROUND - 10} L560 ${GROUND - 120} L520 ${GROUND - 20}`,
    'none',
    'stroke="#b5861a" stroke-width="16"',
  ) +
  rect(626, GROUND + 36, 180, 26, '#4a4a4a', 'rx="13"')

const lorry =
  rect(230, GROUND - 96, 330, 108, '#8a6d4b', 'rx="8"') +
  path(`M240 ${GROUND - 96} Q390 ${GROUND - 168} 550 ${GROUND - 96} Z`, '#b79a72') +
  rect(566, GROUND - 70, 128, 84, '#3d6f98', 'rx="10"') +
  rect(610, GROUND - 58, 62, 36, '#cfe3f0') +
  [300, 370, 620]
    .map((x) => circle(x, GROUND + 22, 34, '#333') + circle(x, GROUND + 22, 13, '#999'))
    .join('') +
  [150, 186, 120, 204].map((x, index) => circle(x, GROUND + 40 + index * 12, 9 + index, '#8a6d4b')).join('')

const SCENES: Readonly<
  Record<Scene, { readonly sky: string; readonly ground: string; readonly drawn: string }>
> = {
  site: { sky: '#dfe7ee', ground: '#b59b78', drawn: houses('#a8b3bd') + heaps('#9a7b52') + digger },
  'covered-site': {
    sky: '#d8e8f4',
    ground: '#b9ad97',
    drawn:
      houses('#a8b3bd') +
      heaps('#4f8a55') +
      rect(0, GROUND + 70, WIDTH, 60, '#3f76a8') +
      Array.from({ length: 12 }, (_, index) => rect(index * 82, GROUND + 70, 4, 60, '#2d5b86')).join(''),
  },
  chimney: {
    sky: '#d3d9df',
    ground: '#a79c8c',
    drawn:
      rect(140, 260, 330, 170, '#7c8894') +
      path('M140 260 L220 200 L300 260 L380 200 L470 260 Z', '#6b7681') +
      rect(330, 110, 56, 150, '#5b6570') +
      smoke(360, 90, '#8d8470') +
      [170, 250, 400].map((x) => rect(x, 320, 44, 50, '#d8dde2')).join(''),
  },
  barbecue: {
    sky: '#2f3e55',
    ground: '#5f5a55',
    drawn:
      houses('#46556c') +
      rect(330, GROUND + 20, 300, 20, '#3a3a3a') +
      rect(350, GROUND + 40, 12, 70, '#3a3a3a') +
      rect(598, GROUND + 40, 12, 70, '#3a3a3a') +
      rect(340, GROUND + 8, 280, 14, '#e2622b') +
      smoke(400, GROUND - 30, '#c9ced4', 7),
  },
  truck: { sky: '#dfe7ee', ground: '#7d7f82', drawn: houses('#b4bfc8') + lorry },
  burning: {
    sky: '#e6dfd2',
    ground: '#8f8a63',
    drawn:
      path(`M330 ${GROUND + 70} Q470 ${GROUND - 40} 620 ${GROUND + 70} Z`, '#5a4a38') +
      path(
        `M400 ${GROUND + 30} Q430 ${GROUND - 90} 470 ${GROUND + 20} Q500 ${GROUND - 70} 540 ${GROUND + 30} Z`,
        '#e9862e',
      ) +
      path(`M430 ${GROUND + 30} Q450 ${GROUND - 40} 480 ${GROUND + 25} Z`, '#f6d04d') +
      smoke(480, GROUND - 90, '#4b4b4b', 8),
  },
  street: {
    sky: '#d7e3ea',
    ground: '#8b8d90',
    drawn:
      houses('#b4bfc8') +
      Array.from({ length: 6 }, (_, index) => rect(30 + index * 170, GROUND + 100, 90, 10, '#f2f2ea')).join(
        '',
      ) +
      smoke(120, GROUND + 40, '#c7b590', 5),
  },
  vent: {
    sky: '#cfd9e2',
    ground: '#9a958e',
    drawn:
      rect(120, 120, 520, 310, '#c9b8a4') +
      [170, 330, 490].map((x) => rect(x, 160, 90, 80, '#e9f1f6')).join('') +
      rect(120, 330, 520, 100, '#7a3b32') +
      rect(640, 300, 90, 44, '#8e979f') +
      smoke(740, 300, '#a9a394', 5),
  },
  'river-bank': {
    sky: '#d9e7ef',
    ground: '#b8946a',
    drawn:
      path(
        `M0 ${GROUND + 110} Q240 ${GROUND + 60} 480 ${GROUND + 110} T960 ${GROUND + 110} V640 H0 Z`,
        '#7fb0c8',
      ) + heaps('#a9835a'),
  },
  yard: {
    sky: '#dcdfe0',
    ground: '#9d917e',
    drawn:
      rect(90, 290, 260, 140, '#9b8f7f') +
      path('M70 290 L220 210 L370 290 Z', '#7d4f3f') +
      rect(470, 340, 160, 90, '#6f7a83') +
      circle(550, 340, 50, '#e2742f') +
      smoke(570, 280, '#9aa0a4', 5),
  },
}

/** A picture that was drawn: no photograph of anything. JPEG, 960 × 640. */
export async function drawing(scene: Scene): Promise<Uint8Array> {
  const { sky, ground, drawn } = SCENES[scene]
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">` +
    rect(0, 0, WIDTH, HEIGHT, sky) +
    rect(0, GROUND, WIDTH, HEIGHT - GROUND, ground) +
    drawn +
    rect(20, HEIGHT - 58, 112, 40, '#fff', 'opacity="0.8"') +
    `<text x="34" y="${HEIGHT - 29}" font-size="28" font-family="sans-serif" fill="#333">DEMO</text></svg>`
  // Loaded by a first start alone, and given back with the next.
  const { default: sharp } = await import('sharp')
  return new Uint8Array(await sharp(Buffer.from(svg)).jpeg({ quality: 80 }).toBuffer())
}
