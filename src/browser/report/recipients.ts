/** The present key of a department, as the sealing needs it. */
export interface Recipient {
  readonly epoch: number
  readonly recipient: string
}

/**
 * To whom tips may be sealed, by department.
 * @param page the check page
 */
export function loadRecipients(page: HTMLElement): Promise<ReadonlyMap<string, Recipient>> {
  const told = page.querySelector<HTMLElement>('[data-recipients]')?.dataset['recipients'] ?? '{}'
  return Promise.resolve(new Map(Object.entries(JSON.parse(told) as Record<string, Recipient>)))
}
