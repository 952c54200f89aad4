declare namespace App {
  interface Locals {
    services: import('./services/index.ts').Services
    config: import('./config.ts').Config
    requestId: string
    /** Who is signed in to the console; null for everybody else. */
    staff: import('./services/staff.ts').StaffSession | null
  }
}
