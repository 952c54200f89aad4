import { fileURLToPath } from 'node:url'
import { defineConfig, devices } from '@playwright/test'
import { findChromium } from '../test/support/browser.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const chromium = findChromium()

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
  retries: 0,
  timeout: 60_000,
  forbidOnly: true,
  reporter: [
    ['list'],
    ['json', { outputFile: process.env['PLAYWRIGHT_JSON_OUTPUT_FILE'] ?? at('../test/results/e2e.json') }],
  ],
  use: {
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
    { name: 'desktop', use: { ...devices['Desktop Chrome'], viewport: { width: 1280, height: 800 } } },
    { name: 'phone', use: PHONE },
    { name: 'no-js', use: { ...PHONE, javaScriptEnabled: false } },
  ],
})
