/// <reference types="astro/client" />
declare namespace App {
  interface Locals {
    services: import('./services/index.ts').Services
    config: import('./config.ts').Config
    requestId: string
    /** Why a page could not be made; the error page leaves it here for the door. */
    failure?: unknown
    /** The moment of the request, in ms since 1970. */
    now: number
    /** Who is signed in to the console; null for everybody else. */
    /** Accounts the sign-in page of a demonstration offers. */
    demoLogins: readonly import('./demo/load.ts').DemoLogin[]
    /** For the rate limits. */
    client: import('./services/limits.ts').ClientKey
    /** The receipt code that `/track/` offers in a demonstration. */
    demoReceipt: string | null
    demoAsked: string | null
    staff: import('./services/staff.ts').StaffSession | null
  }
}
