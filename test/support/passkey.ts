import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** What an authenticator is told to do otherwise than it should. */
export interface Quirks {
  readonly origin?: string
  readonly host?: string
  readonly userVerified?: boolean
  readonly counter?: number
  readonly challenge?: string
}

const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest()
const base64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** CBOR of a byte string. @source RFC 8949, 3.1: major type 2 */
const cborBytes = (bytes: Uint8Array): Buffer =>
  Buffer.concat([
    bytes.length < 256
      ? Buffer.from([0x58, bytes.length])
      : Buffer.from([0x59, bytes.length >> 8, bytes.length & 255]),
    bytes,
  ])
const cborText = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x60 + text.length]), Buffer.from(text)])

/**
 * A passkey in software: one ES256 key for one site, no attestation.
 * @source WebAuthn Level 3, 6.1 (authenticator data), 5.8.1 (client data); RFC 9053, 7.1.1 (COSE key)
 */
export function createPasskey(origin: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const id = randomBytes(16)
  let uses = 0

  const clientData = (type: string, challenge: string, quirks: Quirks): Buffer =>
    Buffer.from(
      JSON.stringify({
        type,
        challenge: quirks.challenge ?? challenge,
        origin: quirks.origin ?? origin,
        crossOrigin: false,
      }),
    )
  function authenticatorData(flags: number, quirks: Quirks): Buffer {
    uses += 1
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(quirks.counter ?? uses)
    const verified = quirks.userVerified === false ? 0 : 0x04
    return Buffer.concat([
      sha256(quirks.host ?? new URL(origin).hostname),
      Buffer.from([0x01 | verified | flags]),
      counter,
    ])
  }

  return {
    id: base64Url(id),

    /** Answers an offer to make a passkey. */
    make(offer: { readonly challenge: string }, quirks: Quirks = {}) {
      // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
      const key = Buffer.concat([
        Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
        cborBytes(Buffer.from(x, 'base64url')),
        Buffer.from([0x22]),
        cborBytes(Buffer.from(y, 'base64url')),
      ])
      const data = Buffer.concat([
        authenticatorData(0x40, quirks),
        Buffer.alloc(16),
        Buffer.from([0, id.length]),
        id,
        key,
      ])
      const attestation = Buffer.concat([
        Buffer.from([0xa3]),
        cborText('fmt'),
        cborText('none'),
        cborText('attStmt'),
        Buffer.from([0xa0]),
        cborText('authData'),
        cborBytes(data),
      ])
      return {
        id: base64Url(id),
        rawId: base64Url(id),
        type: 'public-key' as const,
        response: {
          attestationObject: base64Url(attestation),
          clientDataJSON: base64Url(clientData('webauthn.create', offer.challenge, quirks)),
          transports: ['internal' as const],
        },
        clientExtensionResults: {},
      }
    },

    /** Answers a question to show the passkey. */
    show(options: { readonly challenge: string }, quirks: Quirks = {}) {
      const data = authenticatorData(0, quirks)
      const client = clientData('webauthn.get', options.challenge, quirks)
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), privateKey)
      return {
        id: base64Url(id),
        rawId: base64Url(id),
        type: 'public-key' as const,
        response: {
          authenticatorData: base64Url(data),
          clientDataJSON: base64Url(client),
          signature: base64Url(signature),
        },
        clientExtensionResults: {},
      }
    },
  }
}
