import fc from 'fast-check'
import { createChallenge, solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import { describe, expect, it } from 'vitest'
import { createAltcha } from '../../src/adapters/altcha.ts'
import { solve } from '../../src/browser/report/proof.ts'
import {
  CHALLENGE_SECONDS,
  DIFFICULTIES,
  difficultyFor,
  formLane,
  type GateBinding,
} from '../../src/domain/gate.ts'
import { easyGate, putTogether, takeApart } from '../support/gate.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

const secret = seededBytes(11)(32)
// Moves against the machine's clock, which the library asks too.
let ahead = 0
const clock = { now: () => new Date(Date.now() + ahead) }
const gate = easyGate({ clock, secret })
const FORM: GateBinding = { purpose: 'form', holder: '7d0e2a52-2b1c-4a4e-9a1e-2f5b8f0c9d11' }
const TIP: GateBinding = { purpose: 'tip', holder: '' }

const proofFor = async (binding: GateBinding): Promise<string> =>
  solve(await gate.challenge(binding, difficultyFor(0)))

describe('a proof of work', () => {
  it('is good for what it was made for, and names itself and its end', async () => {
    for (const binding of [FORM, TIP]) {
      const before = Math.floor(clock.now().getTime() / 1000)
      const proof = await proofFor(binding)
      const verdict = await gate.verify(proof, binding)
      if (verdict.state !== 'proven') throw new Error(verdict.state)
      expect(verdict.id).toHaveLength(32)
      const seconds = verdict.until.getTime() / 1000 - before
      expect(seconds).toBeGreaterThanOrEqual(CHALLENGE_SECONDS)
      expect(seconds).toBeLessThan(CHALLENGE_SECONDS + 60)
      // Shown twice it is the same one, however its answer is dressed.
      const dressed = takeApart(proof)
      const again = await gate.verify(
        putTogether({ ...dressed, solution: { ...dressed.solution, counter: 4_000_000, time: 1 } }),
        binding,
      )
      expect(again).toEqual(verdict)
      expect(await gate.verify(await proofFor(binding), binding)).not.toEqual(verdict)
    }
  })

  it('is found at full difficulty by this solver and by the library’s own', async () => {
    const challenge = await createAltcha({ clock, secret }).challenge(TIP, difficultyFor(0))
    const found = await solveChallenge({ challenge, deriveKey })
    const ours = takeApart(await solve(challenge)).solution
    expect(ours).toEqual({ counter: found?.counter, derivedKey: found?.derivedKey })
    expect(found?.counter).toBeGreaterThan(0)
    expect(found?.counter).toBeLessThanOrEqual(difficultyFor(0).maxCounter)
  })

  it('is worth nothing for another purpose or another draft', async () => {
    const form = await proofFor(FORM)
    const tip = await proofFor(TIP)
    const others: GateBinding[] = [TIP, { ...FORM, holder: `${FORM.holder}0` }, { ...FORM, holder: '' }]
    for (const other of others) expect(await gate.verify(form, other)).toEqual({ state: 'refused' })
    expect(await gate.verify(tip, { ...TIP, purpose: 'form' })).toEqual({ state: 'refused' })
    expect(await gate.verify(tip, FORM)).toEqual({ state: 'refused' })
  })

  it('ends with its time, by the program’s clock and by the machine’s', async () => {
    const proof = await proofFor(TIP)
    ahead = (CHALLENGE_SECONDS - 30) * 1000
    expect(await gate.verify(proof, TIP)).toMatchObject({ state: 'proven' })
    ahead = (CHALLENGE_SECONDS + 2) * 1000
    expect(await gate.verify(proof, TIP)).toEqual({ state: 'expired' })
    ahead = -(CHALLENGE_SECONDS + 60) * 1000
    const old = await proofFor(TIP)
    expect(await gate.verify(old, TIP)).toEqual({ state: 'expired' })
    ahead = 0
  })

  it('cannot be made in advance: without the secret nobody signs a challenge', async () => {
    const own = await createChallenge({
      algorithm: 'PBKDF2/SHA-256',
      cost: 1,
      counter: 1,
      data: { purpose: 'tip', holder: '' },
      deriveKey,
      expiresAt: Math.floor(Date.now() / 1000) + 86_400,
      hmacSignatureSecret: 'guessed',
      hmacKeySignatureSecret: 'guessed',
    })
    const solution = await solveChallenge({ challenge: own, deriveKey })
    expect(await gate.verify(putTogether({ challenge: own, solution }), TIP)).toEqual({ state: 'refused' })
    const { signature: _, ...unsigned } = own
    expect(await gate.verify(putTogether({ challenge: unsigned, solution }), TIP)).toEqual({
      state: 'refused',
    })
    const other = easyGate({ clock, secret: seededBytes(12)(32) })
    expect(await gate.verify(await solve(await other.challenge(TIP, difficultyFor(0))), TIP)).toEqual({
      state: 'refused',
    })
  })

  it('needs the right answer', async () => {
    const { challenge, solution } = takeApart(await proofFor(TIP))
    const other = takeApart(await proofFor(TIP)).solution
    const answers: unknown[] = [
      other,
      { ...solution, derivedKey: `${String(challenge.parameters['keyPrefix'])}${'0'.repeat(32)}` },
      { ...solution, derivedKey: challenge.parameters['keySignature'] },
      { ...solution, derivedKey: String(solution['derivedKey']).toUpperCase() },
      { ...solution, counter: -1 },
      { ...solution, counter: '1' },
      { derivedKey: '' },
      {},
      null,
      undefined,
      'yes',
    ]
    for (const answer of answers) {
      expect(await gate.verify(putTogether({ challenge, solution: answer }), TIP)).toEqual({
        state: 'refused',
      })
    }
  })

  it('is refused when any parameter was changed, added, dropped or taken from another challenge', async () => {
    const [one, two, form] = [
      takeApart(await proofFor(TIP)),
      takeApart(await proofFor(TIP)),
      takeApart(await proofFor(FORM)),
    ]
    const names = Object.keys(one.challenge.parameters)
    expect(names.sort()).toEqual(
      [
        'algorithm',
        'cost',
        'data',
        'expiresAt',
        'keyLength',
        'keyPrefix',
        'keySignature',
        'nonce',
        'salt',
      ].sort(),
    )
    const value = fc.oneof(
      fc.constantFrom(...[two, form].flatMap((other) => Object.values(other.challenge.parameters))),
      fc.integer(),
      fc.string(),
      fc.constantFrom(
        null,
        0,
        9_999_999_999,
        '',
        '00',
        {},
        [],
        { purpose: 'tip' },
        { purpose: 'tip', holder: 'x' },
      ),
    )
    const change = fc.record({
      name: fc.oneof(fc.constantFrom(...names), fc.constantFrom('memoryCost', '__proto__', 'x'), fc.string()),
      value: fc.option(value, { nil: undefined }),
      signature: fc.constantFrom(one, two, form).map(({ challenge }) => challenge.signature),
      solution: fc.constantFrom(one, two, form).map(({ solution }) => solution),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const parameters = structuredClone(one.challenge.parameters)
        for (const { name, value: given } of changes) {
          Object.defineProperty(parameters, name, {
            value: given,
            enumerable: true,
            configurable: true,
            writable: true,
          })
        }
        const { signature, solution } = changes[0] ?? { ...one.challenge, ...one }
        const spliced = { challenge: { parameters, signature }, solution }
        const same =
          JSON.stringify(spliced) === JSON.stringify({ challenge: one.challenge, solution: one.solution })
        fc.pre(!same)
        expect((await gate.verify(putTogether(spliced), TIP)).state).not.toBe('proven')
      }),
      { numRuns: 400 },
    )
  })

  it('is never an error, whatever is sent in its place', async () => {
    const pieces = takeApart(await proofFor(TIP))
    const junk = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString('base64')),
      fc.jsonValue().map((challenge) => putTogether({ ...pieces, challenge })),
      fc
        .jsonValue()
        .map((parameters) => putTogether({ ...pieces, challenge: { ...pieces.challenge, parameters } })),
      fc.jsonValue().map((solution) => putTogether({ ...pieces, solution })),
      fc.constant(putTogether(pieces).repeat(8)),
    )
    await fc.assert(
      fc.asyncProperty(junk, async (proof) => {
        expect((await gate.verify(proof, TIP)).state).not.toBe('proven')
      }),
    )
  })
})

describe('the difficulty', () => {
  it('rises with the number of challenges and never falls', () => {
    expect(difficultyFor(0)).toEqual({ cost: 2000, maxCounter: 1500 })
    const work = (issued: number) => difficultyFor(issued).cost * difficultyFor(issued).maxCounter
    for (const { from, cost, maxCounter } of DIFFICULTIES) {
      expect(difficultyFor(from)).toEqual({ cost, maxCounter })
      if (from > 0) expect(work(from - 1)).toBeLessThan(work(from))
    }
    expect(difficultyFor(1e9)).toEqual(difficultyFor(DIFFICULTIES.at(-1)?.from ?? 0))
  })
})

describe('the lane of a form', () => {
  const yes = () => true
  const no = () => false
  it.each([
    ['with a proof', { proof: 'proven', hasty: false, trapped: false, few: yes }, 'normal'],
    [
      'with a proof, however fast and however many',
      { proof: 'proven', hasty: true, trapped: false, few: no },
      'normal',
    ],
    [
      'with a proof and the trap filled in',
      { proof: 'proven', hasty: false, trapped: true, few: yes },
      'unverified',
    ],
    [
      'without a proof at a person’s pace',
      { proof: 'none', hasty: false, trapped: false, few: yes },
      'normal',
    ],
    ['without a proof and too fast', { proof: 'none', hasty: true, trapped: false, few: yes }, 'unverified'],
    ['without a proof, one too many', { proof: 'none', hasty: false, trapped: false, few: no }, 'unverified'],
    ['with a proof that is too old', { proof: 'expired', hasty: false, trapped: false, few: yes }, 'normal'],
    ['with one too old, too fast', { proof: 'expired', hasty: true, trapped: false, few: yes }, 'unverified'],
    ['with a forged proof', { proof: 'refused', hasty: false, trapped: false, few: yes }, 'unverified'],
  ] as const)('%s', (_name, facts, lane) => {
    expect(formLane(facts)).toBe(lane)
  })

  it('asks the narrower bucket only when it decides', () => {
    const never = () => {
      throw new Error('asked')
    }
    expect(formLane({ proof: 'proven', hasty: false, trapped: false, few: never })).toBe('normal')
    expect(formLane({ proof: 'none', hasty: true, trapped: false, few: never })).toBe('unverified')
    expect(formLane({ proof: 'refused', hasty: false, trapped: false, few: never })).toBe('unverified')
  })
})
