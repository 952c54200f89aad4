import { existsSync } from 'node:fs'
import { chromium } from '@playwright/test'

const INSTALLED = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Path of a Chromium to test with: `CHROMIUM_PATH`, one that is installed, or Playwright's own; null for none. */
export function findChromium(): string | null {
  const named = process.env['CHROMIUM_PATH']
  const candidates = [...(named ? [named] : []), ...INSTALLED, chromium.executablePath()]
  return candidates.find((path) => existsSync(path)) ?? null
}
