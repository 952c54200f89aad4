import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ACTION_LABELS,
  ACTORS,
  CASE_ACTIONS,
  CASE_STATES,
  isFinished,
  OUTCOMES,
  type Actor,
  type CaseAction,
  type CaseState,
} from '../../src/domain/case.ts'
import type { AttachTarget, TransitionFacts } from '../../src/domain/case-refusals.ts'
import { allowedActions, diagram, mustTransition, transition } from '../../src/domain/case-transition.ts'
import { DomainError } from '../../src/domain/errors.ts'

const earlier: AttachTarget = { holder: 'qu-huanbao', state: 'working', accused: null, earlier: true }

/** Facts and input with which every cell of the table succeeds. */
const friendly: TransitionFacts = {
  holder: 'qu-huanbao',
  accused: null,
  member: 'member-a',
  memberDepartment: 'qu-huanbao',
  returnedBy: [],
  arbitrated: false,
  pauseUsed: false,
  extended: false,
  complex: false,
  workedBy: ['member-b'],
  concludedBy: 'member-b',
  barred: [],
  disputed: false,
  today: '2026-11-24',
  disputeUntil: '2026-11-24',
  input: {
    reason: 'other-department',
    target: 'qu-jianshe',
    rewrapped: true,
    attachTo: earlier,
    outcome: 'substantiated',
    statement: '经查属实，已责令整改。',
    proofCount: 1,
  },
}
const factsFor = (action: CaseAction): TransitionFacts =>
  action === 'close' ? { ...friendly, today: '2026-11-25' } : friendly

/** The whole table, by hand: `state action: roles -> next`. What is not here is refused. */
const ALLOWED = `
  received          route              system              routed
  returned          route              system              routed
  routed            accept             officer             accepted
  routed            return             officer             returned
  routed            hand_over          officer,dispatcher  routed
  routed            attach             officer             attached
  accepted          work               officer             working
  accepted          note               officer             working
  accepted          return             officer             returned
  accepted          hand_over          officer,dispatcher  routed
  accepted          attach             officer             attached
  accepted          ask_reporter       officer             awaiting_reporter
  accepted          extend             officer             accepted
  accepted          mark_complex       officer             accepted
  working           note               officer             working
  working           hand_over          officer,dispatcher  routed
  working           attach             officer             attached
  working           ask_reporter       officer             awaiting_reporter
  working           extend             officer             working
  working           mark_complex       officer             working
  working           conclude           officer             concluded
  arbitration       decide_arbitration dispatcher          routed
  awaiting_reporter resume             reporter,system     working
  concluded         publish            publisher           published
  concluded         send_back          publisher           working
  published         dispute            reporter            reopened
  published         audit_reopen       auditor             reopened
  published         close              system              closed
  closed            audit_reopen       auditor             reopened
  reopened          route_again        system              routed
`
const allowed = new Map(
  ALLOWED.trim()
    .split('\n')
    .flatMap((line) => {
      const [state, action, roles = '', next] = line.trim().split(/\s+/)
      return roles.split(',').map((role) => [`${state} ${action} ${role}`, next] as const)
    }),
)

const cells = CASE_STATES.flatMap((state) =>
  CASE_ACTIONS.flatMap((action) => ACTORS.map((actor) => ({ state, action, actor }))),
)

const act = (state: CaseState, action: CaseAction, actor: Actor, facts: Partial<TransitionFacts> = {}) => {
  const base = factsFor(action)
  return transition(state, action, actor, { ...base, ...facts, input: { ...base.input, ...facts.input } })
}
const codeOf = (result: ReturnType<typeof transition>) => (result.ok ? result.next : result.code)
const fieldsOf = (result: ReturnType<typeof transition>) =>
  result.ok ? [] : result.fields.map(({ field }) => field)

describe('every state × action × role', () => {
  it('is exactly the table', () => {
    const actual = new Map<string, CaseState>()
    for (const { state, action, actor } of cells) {
      const result = act(state, action, actor)
      if (result.ok) actual.set(`${state} ${action} ${actor}`, result.next)
    }
    expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(allowed))
    expect(cells).toHaveLength(12 * 19 * 10)
    expect(allowed.size).toBe(34)
  })

  it('is refused as forbidden for a wrong role, as a transition for a wrong state', () => {
    const roles = new Map<string, Set<string>>()
    for (const key of allowed.keys()) {
      const [, action = '', role = ''] = key.split(' ')
      roles.set(action, (roles.get(action) ?? new Set()).add(role))
    }
    for (const { state, action, actor } of cells) {
      if (allowed.has(`${state} ${action} ${actor}`)) continue
      expect(codeOf(act(state, action, actor)), `${state} ${action} ${actor}`).toBe(
        roles.get(action)?.has(actor) ? 'case-transition' : 'forbidden',
      )
    }
  })

  it('is offered by the console exactly when it can succeed', () => {
    for (const { state, action, actor } of cells) {
      expect(
        allowedActions(state, actor, factsFor(action)).includes(action),
        `${state} ${action} ${actor}`,
      ).toBe(allowed.has(`${state} ${action} ${actor}`))
    }
  })

  it('never breaks, whatever the facts', () => {
    const department = fc.constantFrom('qu-huanbao', 'qu-jianshe', 'qu-daqiban', 'qu-duchashi')
    const member = fc.constantFrom('member-a', 'member-b', 'member-c')
    const facts: fc.Arbitrary<TransitionFacts> = fc.record({
      holder: department,
      accused: fc.option(department),
      member: fc.option(member),
      memberDepartment: fc.option(department),
      returnedBy: fc.array(department, { maxLength: 3 }),
      arbitrated: fc.boolean(),
      pauseUsed: fc.boolean(),
      extended: fc.boolean(),
      complex: fc.boolean(),
      disputed: fc.boolean(),
      workedBy: fc.array(member, { maxLength: 2 }),
      concludedBy: fc.option(member),
      barred: fc.array(member, { maxLength: 1 }),
      today: fc.constantFrom('2026-11-23', '2026-11-24', '2026-11-25'),
      disputeUntil: fc.option(fc.constant('2026-11-24')),
      input: fc.record(
        {
          reason: fc.constantFrom('', 'other-area', '因为'),
          target: department,
          rewrapped: fc.boolean(),
          attachTo: fc.record({
            holder: department,
            state: fc.constantFrom(...CASE_STATES),
            accused: fc.option(department),
            earlier: fc.boolean(),
          }),
          outcome: fc.constantFrom(...OUTCOMES),
          statement: fc.constantFrom('', '已整改'),
          proofCount: fc.nat(2),
          competentBody: fc.constantFrom('', '市生态环境局'),
        },
        { requiredKeys: [] },
      ),
    })
    fc.assert(
      fc.property(fc.constantFrom(...cells), facts, ({ state, action, actor }, given) => {
        const result = transition(state, action, actor, given)
        if (!result.ok) {
          expect(result.message).not.toBe('')
          return
        }
        // What holds for every change that goes through:
        expect(allowed.has(`${state} ${action} ${actor}`)).toBe(true)
        if (given.accused !== null && result.event.holder !== given.holder) {
          expect([given.accused, 'qu-daqiban']).not.toContain(result.event.holder)
        }
        if (given.accused !== null) expect(result.next).not.toBe('arbitration')
        if (result.next === 'published') {
          expect(given.member).not.toBeNull()
          expect([given.concludedBy, ...given.workedBy]).not.toContain(given.member)
        }
        if (actor === 'officer') expect(given.memberDepartment).toBe(given.holder)
        expect(allowedActions(state, actor, given)).toContain(action)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('an officer', () => {
  it('belongs to the holder', () => {
    for (const action of ['accept', 'return', 'hand_over', 'attach'] as const) {
      expect(codeOf(act('routed', action, 'officer', { memberDepartment: 'qu-jianshe' }))).toBe('forbidden')
    }
  })

  it('does not take up again what was disputed', () => {
    expect(codeOf(act('routed', 'accept', 'officer', { barred: ['member-a'] }))).toBe('two-people')
    expect(codeOf(act('working', 'conclude', 'officer', { barred: ['member-a'] }))).toBe('two-people')
    expect(codeOf(act('routed', 'accept', 'officer', { barred: ['member-b'] }))).toBe('accepted')
  })
})

describe('a return', () => {
  it('needs a reason of the list and another department', () => {
    expect(fieldsOf(act('routed', 'return', 'officer', { input: { reason: '太忙' } }))).toEqual(['reason'])
    expect(fieldsOf(act('routed', 'return', 'officer', { input: { target: '' } }))).toEqual(['target'])
    expect(fieldsOf(act('routed', 'return', 'officer', { input: { target: 'qu-huanbao' } }))).toEqual([
      'target',
    ])
  })

  it('goes to arbitration the second time of a department, and the third in all', () => {
    expect(codeOf(act('routed', 'return', 'officer', { returnedBy: ['qu-jianshe'] }))).toBe('returned')
    expect(codeOf(act('routed', 'return', 'officer', { returnedBy: ['qu-huanbao'] }))).toBe('arbitration')
    expect(codeOf(act('routed', 'return', 'officer', { returnedBy: ['qu-jianshe', 'qu-nongwei'] }))).toBe(
      'arbitration',
    )
  })

  it('keeps the holder until the case is routed to the proposed owner', () => {
    expect(mustTransition('routed', 'return', 'officer', friendly).holder).toBe('qu-huanbao')
    expect(mustTransition('returned', 'route', 'system', friendly).holder).toBe('qu-jianshe')
  })

  it('is over after arbitration, as is handing over', () => {
    expect(codeOf(act('routed', 'return', 'officer', { arbitrated: true }))).toBe('case-transition')
    expect(codeOf(act('working', 'hand_over', 'officer', { arbitrated: true }))).toBe('case-transition')
    expect(codeOf(act('working', 'hand_over', 'dispatcher', { arbitrated: true }))).toBe('routed')
  })
})

describe('a hand-over', () => {
  it('changes the holder once the secret is wrapped to it', () => {
    expect(mustTransition('working', 'hand_over', 'officer', friendly)).toEqual({
      action: 'hand_over',
      actor: 'officer',
      from: 'working',
      to: 'routed',
      holder: 'qu-jianshe',
    })
    expect(fieldsOf(act('working', 'hand_over', 'officer', { input: { rewrapped: false } }))).toEqual([
      'rewrapped',
    ])
    expect(fieldsOf(act('working', 'hand_over', 'officer', { input: { target: 'qu-huanbao' } }))).toEqual([
      'target',
    ])
  })

  it('by the dispatcher needs no membership in the holder', () => {
    expect(codeOf(act('routed', 'hand_over', 'dispatcher', { memberDepartment: 'qu-daqiban' }))).toBe(
      'routed',
    )
  })
})

describe('arbitration', () => {
  it('may also keep the holder', () => {
    const kept = act('arbitration', 'decide_arbitration', 'dispatcher', { input: { target: 'qu-huanbao' } })
    expect(codeOf(kept)).toBe('routed')
    expect(
      fieldsOf(act('arbitration', 'decide_arbitration', 'dispatcher', { input: { target: '' } })),
    ).toEqual(['target'])
  })
})

describe('an inaction case', () => {
  const inaction = { accused: 'qu-jianshe', holder: 'qu-duchashi', memberDepartment: 'qu-duchashi' }

  it('never reaches the department complained of, nor the dispatcher', () => {
    for (const target of ['qu-jianshe', 'qu-daqiban']) {
      const input = { target }
      expect(codeOf(act('routed', 'return', 'officer', { ...inaction, input }))).toBe('forbidden')
      expect(codeOf(act('routed', 'hand_over', 'officer', { ...inaction, input }))).toBe('forbidden')
      expect(codeOf(act('received', 'route', 'system', { ...inaction, input }))).toBe('forbidden')
      expect(codeOf(act('reopened', 'route_again', 'system', { ...inaction, input }))).toBe('forbidden')
    }
    const input = { target: 'qu-nongwei' }
    expect(codeOf(act('routed', 'hand_over', 'officer', { ...inaction, input }))).toBe('routed')
  })

  it('is nothing for the dispatcher to decide', () => {
    const dispatcher = { ...inaction, memberDepartment: 'qu-daqiban', input: { target: 'qu-nongwei' } }
    expect(codeOf(act('routed', 'hand_over', 'dispatcher', dispatcher))).toBe('forbidden')
    expect(codeOf(act('arbitration', 'decide_arbitration', 'dispatcher', dispatcher))).toBe('forbidden')
    const again = { ...inaction, returnedBy: ['qu-duchashi'], input: { target: 'qu-nongwei' } }
    expect(codeOf(act('routed', 'return', 'officer', again))).toBe('case-transition')
  })

  it('is not published by those it is about', () => {
    expect(
      codeOf(act('concluded', 'publish', 'publisher', { ...inaction, memberDepartment: 'qu-jianshe' })),
    ).toBe('forbidden')
    expect(codeOf(act('concluded', 'publish', 'publisher', inaction))).toBe('published')
  })
})

describe('attaching', () => {
  it.each([
    [undefined],
    [{ ...earlier, holder: 'qu-jianshe' }],
    [{ ...earlier, accused: 'qu-jianshe' }],
    [{ ...earlier, earlier: false }],
    [{ ...earlier, state: 'concluded' as const }],
    [{ ...earlier, state: 'published' as const }],
    [{ ...earlier, state: 'closed' as const }],
    [{ ...earlier, state: 'attached' as const }],
  ])('into %j is refused', (attachTo) => {
    expect(fieldsOf(act('working', 'attach', 'officer', { input: { attachTo } }))).toEqual(['attachTo'])
  })
})

describe('a limit of one', () => {
  it('holds for the pause, the extension, the complex term and the dispute', () => {
    expect(codeOf(act('working', 'ask_reporter', 'officer', { pauseUsed: true }))).toBe('case-transition')
    expect(codeOf(act('working', 'extend', 'officer', { extended: true }))).toBe('case-transition')
    expect(codeOf(act('working', 'mark_complex', 'officer', { complex: true }))).toBe('case-transition')
    expect(codeOf(act('published', 'dispute', 'reporter', { disputed: true }))).toBe('case-transition')
  })

  it('needs a reason to extend, send back or reopen', () => {
    const input = { reason: '  ' }
    expect(fieldsOf(act('working', 'extend', 'officer', { input }))).toEqual(['reason'])
    expect(fieldsOf(act('concluded', 'send_back', 'publisher', { input }))).toEqual(['reason'])
    expect(fieldsOf(act('closed', 'audit_reopen', 'auditor', { input }))).toEqual(['reason'])
  })
})

describe('a conclusion', () => {
  it('needs outcome, statement and a proof', () => {
    const conclude = (input: TransitionFacts['input']) =>
      fieldsOf(act('working', 'conclude', 'officer', { input }))
    expect(conclude({ outcome: undefined, statement: ' ', proofCount: 0 })).toEqual([
      'outcome',
      'statement',
      'proof',
    ])
    for (const outcome of OUTCOMES.slice(0, 4))
      expect(conclude({ outcome, proofCount: 0 })).toEqual(['proof'])
  })

  it('that the district is not competent needs the competent body instead of a proof', () => {
    const outside = { outcome: 'outside' as const, proofCount: 0 }
    expect(fieldsOf(act('working', 'conclude', 'officer', { input: outside }))).toEqual(['competentBody'])
    const named = { ...outside, competentBody: '郑州市城市管理局' }
    expect(codeOf(act('working', 'conclude', 'officer', { input: named }))).toBe('concluded')
  })
})

describe('a publication', () => {
  it('is by somebody who neither worked nor concluded', () => {
    expect(codeOf(act('concluded', 'publish', 'publisher', { member: 'member-b' }))).toBe('two-people')
    expect(codeOf(act('concluded', 'publish', 'publisher', { workedBy: ['member-a'] }))).toBe('two-people')
    expect(codeOf(act('concluded', 'publish', 'publisher', { concludedBy: 'member-a' }))).toBe('two-people')
    expect(codeOf(act('concluded', 'publish', 'publisher', { member: null }))).toBe('two-people')
  })
})

describe('the dispute window', () => {
  it('is open to its last day, and the case closes after it', () => {
    expect(codeOf(act('published', 'dispute', 'reporter', { today: '2026-11-24' }))).toBe('reopened')
    expect(codeOf(act('published', 'dispute', 'reporter', { today: '2026-11-25' }))).toBe('case-transition')
    expect(codeOf(act('published', 'dispute', 'reporter', { disputeUntil: null }))).toBe('case-transition')
    expect(codeOf(act('published', 'close', 'system', { today: '2026-11-24' }))).toBe('case-transition')
    expect(codeOf(act('published', 'close', 'system', { today: '2026-11-25' }))).toBe('closed')
  })
})

describe('a refusal', () => {
  it('is thrown for services', () => {
    expect(() => mustTransition('closed', 'accept', 'officer', friendly)).toThrow(DomainError)
    expect(() => mustTransition('routed', 'accept', 'finance', friendly)).toThrow(ACTION_LABELS.accept)
  })
})

describe('the diagram', () => {
  it('shows every allowed cell and no other', () => {
    const arrows = diagram()
      .split('\n')
      .flatMap((line) => {
        const match = /^ {2}(\w+) --> (\w+): (\w+) \((.+)\)$/.exec(line)
        return (match?.[4] ?? '')
          .split(', ')
          .flatMap((actor) => (match ? [`${match[1]} ${match[3]} ${actor} ${match[2]}`] : []))
      })
    const returns = ['routed return officer arbitration', 'accepted return officer arbitration']
    expect(new Set(arrows)).toEqual(
      new Set([...allowed].map(([key, next]) => `${key} ${next}`).concat(returns)),
    )
  })
})

it('a finished case is one no officer works on', () => {
  expect(CASE_STATES.filter(isFinished)).toEqual(['concluded', 'published', 'closed', 'attached'])
})
