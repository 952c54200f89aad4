import { open } from 'node:fs/promises'

/** Flushes a folder's own entries; without it a rename may be lost with the power. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders, and its file system journals renames by itself.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
