/** Long against the few milliseconds that a refusal costs, short for somebody who reads it. */
const HOLD_MS = 1000
/** Held answers cost a connection each; beyond so many the rest go out at once. */
const MOST_HELD = 500

/**
 * Holds back refusals of the kind "too often". Whoever asks again as soon as an answer is there, refused or not, would
 * else be answered hundreds of times a second, and everybody's requests stand in one line.
 */
export function createTarpit({ holdMs = HOLD_MS, most = MOST_HELD } = {}): { hold(): Promise<void> } {
  let held = 0
  return {
    async hold() {
      if (held >= most) return
      held += 1
      try {
        // A server that ends does not wait for it.
        await new Promise<void>((resolve) => setTimeout(resolve, holdMs).unref())
      } finally {
        held -= 1
      }
    },
  }
}
