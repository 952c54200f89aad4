import { solve, type Challenge } from './proof.ts'

// Beside the page, so that a slow phone can still scroll it. Takes a challenge, answers the proof.
addEventListener('message', (event: MessageEvent<Challenge>) => {
  void solve(event.data).then((proof) => {
    postMessage(proof)
  })
})
