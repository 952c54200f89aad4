import { fileURLToPath } from 'node:url'
import { defineConfig, devices } from '@playwright/test'
import { findChromium } from '../test/support/browser.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const chromium = findChromium()

const NEXT_MORNING = '**/next-morning.spec.ts'
// What does not depend on the width, or has its own people with their own browsers, is done once.
const ONCE = ['journey', 'rewards', 'gate', 'sealing', 'lists', 'second-factor', 'messages'].map(
  (name) => `**/${name}.spec.ts`,
)
const PHONE = {
  ...devices['Desktop Chrome'],
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
}

export default defineConfig({
  testDir: at('../test/e2e'),
  outputDir: at('../test/results/e2e'),
  globalSetup: at('../test/support/e2e-setup.ts'),
  // One server and one database stand behind all tests; tests make their own cases and do not count others'.
  workers: 2,
  // One more try where nobody watches; a test that needed it is listed as flaky.
  retries: process.env['CI'] ? 1 : 0,
  timeout: 120_000,
  // A machine that does other things too is slow, not wrong.
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: [
    ['list'],
    ['json', { outputFile: process.env['PLAYWRIGHT_JSON_OUTPUT_FILE'] ?? at('../test/results/e2e.json') }],
  ],
  use: {
    // Set by the global setup; the workers read this file after it.
    baseURL: process.env['LANTIAN_E2E_URL'],
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(chromium === null ? {} : { executablePath: chromium }),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    {
      name: 'desktop',
      testIgnore: NEXT_MORNING,
      use: { ...devices['Desktop Chrome'], viewport: { width: 1280, height: 800 } },
    },
    { name: 'phone', testIgnore: [NEXT_MORNING, ...ONCE], grepInvert: /@desk/, use: PHONE },
    // It moves the server's clock, so everything else comes before.
    { name: 'next-morning', testMatch: NEXT_MORNING, dependencies: ['desktop', 'phone'], use: PHONE },
  ],
})
