const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What PostgreSQL takes as an id of ours; anything else would be an error of the query instead of an unknown id. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
