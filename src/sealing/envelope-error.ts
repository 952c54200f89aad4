/**
 * Why something sealed does not open:
 * - `wrong-key`: not sealed to this key (or, under a symmetric key, also changed since);
 * - `damaged`: cut off, altered, or not an envelope at all;
 * - `mismatch`: it opens, but is the envelope of another tip, part, purpose, department or epoch.
 */
export type EnvelopeErrorCode = 'wrong-key' | 'damaged' | 'mismatch'

/** Something sealed was refused. The message never repeats what was found inside. */
export class EnvelopeError extends Error {
  readonly code: EnvelopeErrorCode
  constructor(code: EnvelopeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EnvelopeError'
    this.code = code
  }
}
