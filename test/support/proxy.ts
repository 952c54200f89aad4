import { connect, createServer, type Socket } from 'node:net'

/** A way to a database that can be cut and mended. */
export interface Proxy {
  readonly port: number
  /** Ends all connections and takes no new ones. */
  cut(): void
  mend(): void
  /**
   * Once: lets the next statement with this text through, keeps the server's answer to itself and ends the
   * connection. The statement was executed, and nobody was told. Resolves when that has happened.
   */
  loseAnswerTo(text: string): Promise<void>
  close(): void
}

export async function openProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let open = true
  let trap: { readonly text: string; readonly sprung: () => void } | null = null

  const proxy = createServer((incoming) => {
    if (!open) {
      incoming.destroy()
      return
    }
    const outgoing = connect(target.port, target.host)
    let losing: (() => void) | null = null
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    incoming.on('data', (bytes) => {
      if (trap && bytes.includes(trap.text)) {
        losing = trap.sprung
        trap = null
      }
      outgoing.write(bytes)
    })
    outgoing.on('data', (bytes) => {
      if (!losing) {
        incoming.write(bytes)
        return
      }
      incoming.destroy()
      losing()
    })
  })
  const port = await new Promise<number>((resolve) => {
    proxy.listen(0, '127.0.0.1', () => {
      resolve((proxy.address() as { port: number }).port)
    })
  })
  return {
    port,
    cut: () => {
      open = false
      for (const socket of sockets) socket.destroy()
    },
    mend: () => {
      open = true
    },
    loseAnswerTo: (text) =>
      new Promise((resolve) => {
        trap = { text, sprung: resolve }
      }),
    close: () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
