import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/integration-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          pool: 'forks',
          maxWorkers: 2,
          // As in the browser: one more try where nobody watches, and the report says which needed it.
          retry: process.env['CI'] ? 1 : 0,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          // The long run ends a server hundreds of times.
          testTimeout: 2 * 3_600_000,
          hookTimeout: 60_000,
          pool: 'forks',
          // One more than the integration tests: much of the time here is spent waiting for an end.
          maxWorkers: 3,
        },
      },
    ],
  },
})
