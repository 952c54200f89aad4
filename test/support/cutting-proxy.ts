import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CuttingProxy {
  readonly url: string
  /** What the server answered to each request that matched, whether the sender learned of it or not. */
  readonly answers: readonly { readonly status: number; readonly body: string }[]
  close(): Promise<void>
}

/** Stands before a server and loses the first answers to a path: the server has done its work, the sender never hears. */
export async function startCuttingProxy(target: string, path: string, lost: number): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target)
  const answers: { status: number; body: string }[] = []
  const server = createServer((req, res) => {
    const onward = request(
      { hostname, port, path: req.url, method: req.method, headers: req.headers },
      (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('end', () => {
          const body = Buffer.concat(chunks)
          if (req.url === path) {
            answers.push({ status: reply.statusCode ?? 0, body: body.toString('utf8') })
            if (answers.length <= lost) {
              req.socket.destroy()
              return
            }
          }
          res.writeHead(reply.statusCode ?? 500, reply.headers).end(body)
        })
      },
    )
    req.pipe(onward)
  })
  const own = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
  return {
    url: `http://127.0.0.1:${own}`,
    answers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
