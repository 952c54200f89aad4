import { connect } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readForm } from '../../src/api/multipart.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { ServerType } from '@hono/node-server'
import type { FormFile, FormLimits, ReadFormOptions } from '../../src/api/multipart.ts'

const MIB = 1024 * 1024
const LIMITS: FormLimits = {
  maxFiles: 9,
  maxFileBytes: 15 * MIB,
  maxTotalBytes: 60 * MIB,
  maxFieldBytes: 20_000,
  maxFields: 20,
}

/** What the server saw of the request under test. */
let seen: { authorizedWith?: string[]; files: FormFile[]; refused: string[]; error?: unknown }
let options: Partial<ReadFormOptions>
let server: ServerType
let address: string
let settled: Promise<void>
let settle: () => void

beforeAll(async () => {
  const app = new Hono()
  app.get('/', (c) => c.text('alive'))
  app.post('/', async (c) => {
    try {
      const form = await readForm(c.req.raw, {
        ...LIMITS,
        authorize: (fields) => {
          seen.authorizedWith = [...fields.keys()]
        },
        ...options,
      })
      return c.json({
        fields: Object.fromEntries(form.fields),
        files: form.files.map(({ name, bytes }) => [name, bytes.length]),
      })
    } catch (error) {
      seen.error = error
      if (!(error instanceof DomainError)) return c.json({ code: 'bug' }, 500)
      return c.json(
        { code: error.code, message: error.message, fields: error.fields },
        error.code === 'too-large' ? 413 : 422,
      )
    } finally {
      settle()
    }
  })
  await new Promise<void>((resolve) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info) => {
      address = `http://127.0.0.1:${info.port}`
      resolve()
    })
  })
})
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())))
beforeEach(() => {
  seen = { files: [], refused: [] }
  options = {}
  settled = new Promise((resolve) => (settle = resolve))
})

function form(...entries: (readonly [string, string | Uint8Array | number])[]): FormData {
  const data = new FormData()
  for (const [name, value] of entries) {
    if (typeof value === 'string') data.append(name, value)
    else
      data.append(
        name,
        new File([typeof value === 'number' ? new Uint8Array(value) : value.slice()], '我的 照片.jpg'),
      )
  }
  return data
}
const post = async (body: BodyInit, headers: Record<string, string> = {}) => {
  const response = await fetch(address, { method: 'POST', body, headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const alive = async () => (await fetch(address)).text()

describe('a multipart form', () => {
  it('gives its fields in order, repeated ones together, and its files without their names', async () => {
    const answer = await post(
      form(['area', '街道'], ['tick', 'a'], ['photos', 3], ['tick', 'b'], ['photos', 70_000]),
    )
    expect(answer).toEqual({
      status: 200,
      body: {
        fields: { area: ['街道'], tick: ['a', 'b'] },
        files: [
          ['photos', 3],
          ['photos', 70_000],
        ],
      },
    })
    expect(JSON.stringify(answer)).not.toContain('照片')
  })

  it('keeps the bytes of a file as they are', async () => {
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 256)
    options = { onFile: (file) => void seen.files.push(file) }
    expect(await post(form(['photos', sent]))).toMatchObject({ status: 200, body: { files: [] } })
    expect(Buffer.from(seen.files[0]?.bytes ?? []).equals(sent)).toBe(true)
  })

  it('reads a body of unknown length as well', async () => {
    const sent = Uint8Array.from({ length: 900_000 }, (_, i) => (i * 31) % 256)
    const whole = new Response(form(['area', 'x'], ['photos', sent]))
    options = { onFile: (file) => void seen.files.push(file) }
    const response = await fetch(address, {
      method: 'POST',
      body: whole.body,
      headers: { 'content-type': whole.headers.get('content-type') ?? '' },
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(200)
    expect(Buffer.from(seen.files[0]?.bytes ?? []).equals(sent)).toBe(true)
  })

  it('leaves out an untouched file input, but not an empty file', async () => {
    const data = form(['area', 'x'])
    data.append('photos', new File([], ''))
    data.append('photos', new File([], 'empty.jpg'))
    expect((await post(data)).body).toMatchObject({ files: [['photos', 0]] })
  })

  it('may have nothing in it', async () => {
    expect(await post(form())).toMatchObject({ status: 200, body: { fields: {}, files: [] } })
    expect(seen.authorizedWith).toEqual([])
  })
})

describe('the gate', () => {
  it('sees the fields before a file, and nothing is taken when it says no', async () => {
    options = {
      authorize: (fields) => {
        seen.authorizedWith = [...fields.keys()]
        throw new DomainError('form-token', '页面已过期。')
      },
      onFile: (file) => void seen.files.push(file),
    }
    const answer = await post(form(['token', 't'], ['photos', 5 * MIB], ['late', 'x']))
    expect(answer.body).toMatchObject({ code: 'form-token' })
    expect(seen.authorizedWith).toEqual(['token'])
    expect(seen.files).toEqual([])
  })

  it('is asked once, before the first of several files', async () => {
    let asked = 0
    options = {
      authorize: () => {
        asked++
      },
    }
    await post(form(['token', 't'], ['photos', 10], ['photos', 20]))
    expect(asked).toBe(1)
  })

  it('holds the upload back while it thinks', async () => {
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    let asked: () => void = () => {}
    const reached = new Promise<void>((resolve) => (asked = resolve))
    options = {
      authorize: () => {
        asked()
        return gate
      },
      onFile: (file) => void seen.files.push(file),
    }
    const answer = post(form(['token', 't'], ['photos', 10 * MIB]))
    await reached
    expect(seen.files).toEqual([])
    open()
    expect((await answer).status).toBe(200)
    expect(seen.files.map(({ bytes }) => bytes.length)).toEqual([10 * MIB])
  })
})

describe('one file at a time', () => {
  it('the next is not read before the last is taken', async () => {
    let inHand = 0
    let most = 0
    options = {
      onFile: async () => {
        most = Math.max(most, ++inHand)
        await new Promise((resolve) => setImmediate(resolve))
        inHand--
      },
    }
    // Small ones, so that several lie in one chunk, and large ones, so that each spans many.
    await post(form(...Array.from({ length: 9 }, (_, i) => ['photos', i % 2 ? 100 : MIB] as const)))
    expect(most).toBe(1)
  })

  it('what the taker throws ends the reading', async () => {
    let taken = 0
    options = {
      onFile: () => {
        if (++taken === 2) throw new DomainError('intake-closed', '暂停受理。')
      },
    }
    const answer = await post(form(['photos', MIB], ['photos', MIB], ['photos', MIB]))
    expect(answer.body).toMatchObject({ code: 'intake-closed' })
    expect(taken).toBe(2)
    expect(await alive()).toBe('alive')
  })
})

describe('limits', () => {
  it('refuse the 61st megabyte with 413 and a sentence', async () => {
    const answer = await post(form(...[15, 15, 15, 15, 1].map((mib) => ['photos', mib * MIB] as const)))
    expect(answer).toMatchObject({ status: 413, body: { code: 'too-large' } })
    expect(answer.body['message']).toContain('60 MB')
    expect(await alive()).toBe('alive')
  })

  it('take all 60', async () => {
    const answer = await post(form(...[15, 15, 15, 15].map((mib) => ['photos', mib * MIB] as const)))
    expect(answer.status).toBe(200)
  })

  it('refuse it also when the length was not announced', async () => {
    const whole = new Response(form(...[15, 15, 15, 15, 1].map((mib) => ['photos', mib * MIB] as const)))
    const response = await fetch(address, {
      method: 'POST',
      body: whole.body,
      headers: { 'content-type': whole.headers.get('content-type') ?? '' },
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
  })

  it('refuse the 10th file', async () => {
    const answer = await post(form(...Array.from({ length: 10 }, () => ['photos', 100] as const)))
    expect(answer).toMatchObject({ status: 413, body: { code: 'too-large', message: '最多上传 9 个文件。' } })
  })

  it('refuse one byte too many in a file, and not one less', async () => {
    options = { maxFileBytes: 1000 }
    expect((await post(form(['photos', 1000]))).status).toBe(200)
    expect(await post(form(['photos', 1001]))).toMatchObject({
      status: 413,
      body: { fields: [{ field: 'photos' }] },
    })
  })

  it('skip such files and keep the rest when told to', async () => {
    options = {
      maxFiles: 2,
      maxFileBytes: 200_000,
      onRefused: (name, error) => seen.refused.push(`${name}: ${error.message}`),
    }
    const answer = await post(form(['photos', 900_000], ['photos', 10], ['photos', 20], ['after', 'kept']))
    expect(answer).toMatchObject({
      status: 200,
      body: { files: [['photos', 10]], fields: { after: ['kept'] } },
    })
    expect(seen.refused).toEqual(['photos: 单个文件不能超过 0.2 MB。', 'photos: 最多上传 2 个文件。'])
  })

  it('refuse an over-long field by its name', async () => {
    expect((await post(form(['description', 'x'.repeat(20_000)]))).status).toBe(200)
    expect(await post(form(['description', 'x'.repeat(20_001)]))).toMatchObject({
      status: 413,
      body: { code: 'too-large', fields: [{ field: 'description' }] },
    })
  })

  it('refuse too many fields, parts and names too long', async () => {
    expect((await post(form(...Array.from({ length: 21 }, (_, i) => [`f${i}`, ''] as const)))).status).toBe(
      413,
    )
    const inputs = new FormData()
    for (let i = 0; i < 100; i++) inputs.append('photos', new File([], ''))
    expect((await post(inputs)).status).toBe(413)
    expect((await post(form(['n'.repeat(101), 'x']))).body).toMatchObject({ code: 'invalid-input' })
  })

  it('refuse any file where none is wanted', async () => {
    options = { maxFiles: 0, maxTotalBytes: 0 }
    expect((await post(form(['area', 'x']))).status).toBe(200)
    expect((await post(form(['photos', 1]))).status).toBe(413)
  })
})

describe('an urlencoded form', () => {
  const type = { 'content-type': 'application/x-www-form-urlencoded' }

  it('is read by the same function', async () => {
    const answer = await post('area=%E8%A1%97%E9%81%93&tick=a&tick=b+c', type)
    expect(answer).toMatchObject({
      status: 200,
      body: { fields: { area: ['街道'], tick: ['a', 'b c'] }, files: [] },
    })
    expect(seen.authorizedWith).toEqual(['area', 'tick'])
  })

  it('has the same limits', async () => {
    expect((await post(`a=${'x'.repeat(20_001)}`, type)).body).toMatchObject({ fields: [{ field: 'a' }] })
    expect((await post('a=1&'.repeat(21), type)).status).toBe(413)
    expect((await post(`a=${'x'.repeat(600_000)}`, type)).status).toBe(413)
  })
})

describe('a broken request', () => {
  it.each(['text/plain', 'application/json', 'multipart/form-dataX', 'multipart/mixed; boundary=x'])(
    'of type %s is refused',
    async (type) => {
      expect((await post('x', { 'content-type': type })).body).toMatchObject({ code: 'unsupported-media' })
    },
  )

  it('without a boundary is refused', async () => {
    expect((await post('x', { 'content-type': 'multipart/form-data' })).body).toMatchObject({
      code: 'invalid-input',
    })
  })

  it('cut at any byte gives the one typed error and takes no half file', async () => {
    const whole = new Response(form(['area', 'x'], ['photos', 40], ['tick', 'a'], ['photos', 30]))
    const type = whole.headers.get('content-type') ?? ''
    const body = new Uint8Array(await whole.arrayBuffer())
    // The last line may lack its line break, after which the form is complete.
    for (let length = 0; length < body.length - 4; length++) {
      const sizes: number[] = []
      const request = new Request('http://localhost/', {
        method: 'POST',
        headers: { 'content-type': type },
        body: body.slice(0, length),
      })
      const reading = readForm(request, { ...LIMITS, onFile: ({ bytes }) => void sizes.push(bytes.length) })
      await expect(reading, `cut at ${length}`).rejects.toMatchObject({ code: 'invalid-input' })
      expect([[], [40], [40, 30]]).toContainEqual(sizes)
    }
  })

  it('whose connection is cut in a photo keeps nothing, and the server lives', async () => {
    const { port, hostname } = new URL(address)
    const boundary = 'cut-here'
    const head = [
      `--${boundary}\r\ncontent-disposition: form-data; name="token"\r\n\r\nt\r\n`,
      `--${boundary}\r\ncontent-disposition: form-data; name="photos"; filename="a.jpg"\r\n`,
      'content-type: image/jpeg\r\n\r\n',
    ].join('')
    let authorized: () => void = () => {}
    const reached = new Promise<void>((resolve) => (authorized = resolve))
    options = { authorize: () => authorized(), onFile: (file) => void seen.files.push(file) }
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', () => {})
    socket.write(
      `POST / HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: ${5 * MIB}\r\n` +
        `content-type: multipart/form-data; boundary=${boundary}\r\n\r\n${head}`,
    )
    socket.write(Buffer.alloc(MIB))
    await reached
    socket.resetAndDestroy()

    await settled
    expect(seen.error).toMatchObject({ name: 'DomainError', code: 'invalid-input' })
    expect(seen.files).toEqual([])
    expect(await alive()).toBe('alive')
  })

  it('with a file part that has no name is refused', async () => {
    const body = '--b\r\ncontent-disposition: form-data; filename="a.jpg"\r\n\r\nabc\r\n--b--\r\n'
    const answer = await post(body, { 'content-type': 'multipart/form-data; boundary=b' })
    expect(answer.body).toMatchObject({ code: 'invalid-input' })
  })
})
