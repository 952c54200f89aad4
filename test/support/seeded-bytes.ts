/** Bytes that look random and are the same on every run (mulberry32). For tests only. */
export function seededBytes(seed: number): (n: number) => Uint8Array<ArrayBuffer> {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 24
  }
  return (n) => Uint8Array.from({ length: n }, next)
}
