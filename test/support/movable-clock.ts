/**
 * Loaded into a server under test before anything else (`node --import`): the morning after can be had without waiting.
 * Each SIGUSR2 moves the program's clock on by {@link STEP_MS}.
 */
const STEP_MS = 30 * 3_600_000
let ahead = 0

const RealDate = Date

class MovableDate extends RealDate {
  constructor(...given: [] | [number | string | Date]) {
    if (given.length === 0) super(RealDate.now() + ahead)
    // Parts of a date (year, month …) come as more arguments than the type says.
    else super(...(given as [number]))
  }

  static override now(): number {
    return RealDate.now() + ahead
  }
}

globalThis.Date = MovableDate as DateConstructor
process.on('SIGUSR2', () => {
  ahead += STEP_MS
})
