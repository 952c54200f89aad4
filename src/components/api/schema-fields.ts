import type { JsonSchema } from '../../schemas/json-schema.ts'

/** One line of the reference: a field by its path, e.g. `items[].deadlines[].date`. */
export interface Field {
  readonly path: string
  readonly type: string
  readonly required: boolean
  readonly description: string
}

const TYPES: Readonly<Record<string, string>> = {
  string: '文字',
  integer: '整数',
  number: '数字',
  boolean: 'true 或 false',
  object: '对象',
  array: '数组',
  null: 'null',
}
const FORMATS: Readonly<Record<string, string>> = { date: '日期', 'date-time': '时间', binary: '文件' }

// JSON Schema writes "any whole number" as the safe range.
const isLimit = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) !== Number.MAX_SAFE_INTEGER

function limitsOf(shape: JsonSchema): string[] {
  const { minimum, maximum, minLength, maxLength, maxItems } = shape
  return [
    ...(isLimit(minimum) && isLimit(maximum) ? [`${minimum} 到 ${maximum}`] : []),
    ...(minLength !== undefined && minLength > 1 ? [`至少 ${minLength} 个字符`] : []),
    ...(maxLength === undefined ? [] : [`最多 ${maxLength} 个字符`]),
    ...(maxItems === undefined ? [] : [`最多 ${maxItems} 项`]),
    ...(shape.default === undefined || Array.isArray(shape.default) ? [] : [`默认 ${String(shape.default)}`]),
  ]
}

/** What a value may be, in a few words. */
export function typeOf(shape: JsonSchema): string {
  if (shape.const !== undefined) return String(shape.const)
  if (shape.enum) return shape.enum.map(String).join('、')
  if (shape.anyOf) return [...new Set(shape.anyOf.map(typeOf))].join(' 或 ')
  const types = typeof shape.type === 'string' ? [shape.type] : (shape.type ?? [])
  const words = types.map((type) =>
    type === 'array' && shape.items && !shape.items.properties
      ? `数组，每项：${typeOf(shape.items)}`
      : ((type === 'string' ? FORMATS[shape.format ?? ''] : undefined) ?? TYPES[type] ?? type),
  )
  const limits = limitsOf(shape)
  return `${words.length === 0 ? '任意' : words.join(' 或 ')}${limits.length === 0 ? '' : `（${limits.join('，')}）`}`
}

/** Every field of a shape and of what is inside it, outer ones first. */
export function fieldsOf(shape: JsonSchema, prefix = ''): Field[] {
  const alternatives = shape.anyOf ?? []
  const inside = [
    ...Object.entries(shape.properties ?? {}).flatMap(([name, field]): Field[] => {
      const path = prefix === '' ? name : `${prefix}.${name}`
      return [
        {
          path,
          type: typeOf(field),
          required: shape.required?.includes(name) ?? false,
          description: field.description ?? '',
        },
        ...fieldsOf(field, path),
      ]
    }),
    ...(shape.items ? fieldsOf(shape.items, `${prefix}[]`) : []),
  ]
  return [...inside, ...alternatives.flatMap((alternative) => fieldsOf(alternative, prefix))]
}
