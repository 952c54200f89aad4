import { DomainError } from '../../domain/errors.ts'
import { leaks } from '../../domain/leak.ts'

const MAX_REASON = 500

/** @throws {DomainError} `invalid-input` on the field `why`: `reason` is a column */
export function readReason(reason: string): string {
  const text = reason.replace(/\r\n?/g, '\n').trim()
  const problem =
    text === ''
      ? '请写明理由。'
      : Array.from(text).length > MAX_REASON
        ? `理由最多 ${MAX_REASON} 个字。`
        : /[\p{Cc}\p{Cs}]/u.test(text.replaceAll('\n', ''))
          ? '理由里有看不见的控制字符，请删去后重填。'
          : leaks(text, { reporterWords: [] }).length > 0
            ? '理由会公开，里面像有电话或身份证号码，请删去。'
            : null
  if (problem !== null) throw new DomainError('invalid-input', problem, [{ field: 'why', message: problem }])
  return text
}
