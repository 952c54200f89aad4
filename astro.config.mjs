import node from '@astrojs/node'
import { defineConfig } from 'astro/config'

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'middleware' }),
  trailingSlash: 'always',
  security: { checkOrigin: false },
  session: false,
  devToolbar: { enabled: false },
  build: { inlineStylesheets: 'never', assets: 'assets' },
  vite: {
    build: { assetsInlineLimit: 0 },
    // Loaded from node_modules as they are: WebAssembly and native parts do not survive bundling, and what is loaded
    // late (jobs, mail) would otherwise be loaded at once. And zod, which the settings have loaded by then.
    ssr: { external: ['@electric-sql/pglite', 'sharp', 'pg', 'pg-boss', 'nodemailer', 'resend', 'zod'] },
  },
})
