import node from '@astrojs/node'
import { defineConfig, sessionDrivers } from 'astro/config'

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'middleware' }),
  trailingSlash: 'always',
  security: { checkOrigin: false },
  session: { driver: sessionDrivers.lruCache?.() ?? undefined },
  devToolbar: { enabled: false },
  build: { inlineStylesheets: 'never', assets: 'assets' },
  vite: { build: { assetsInlineLimit: 0 } },
})
