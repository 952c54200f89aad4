/**
 * Loaded into a server under test before anything else (`node --import`): the morning after can be had without waiting.
 * Each SIGUSR2 moves the program's clock on by so many minutes, or past the next morning.
 */
const STEP_MS = Number(process.env['LANTIAN_CLOCK_STEP_MINUTES'] ?? 30 * 60) * 60_000
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
