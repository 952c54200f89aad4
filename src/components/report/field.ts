import type { FieldError } from '../../domain/errors.ts'

/** What one field of the form shows of its error; `aria` goes on the control, whose hint is `<name>-hint`. */
export function fieldOf(
  errors: readonly FieldError[],
  name: string,
): {
  readonly error: string | undefined
  readonly aria: { readonly 'aria-describedby': string; readonly 'aria-invalid': 'true' | undefined }
} {
  const error = errors.find((one) => one.field === name)?.message
  return {
    error,
    aria: {
      'aria-describedby': error === undefined ? `${name}-hint` : `${name}-hint ${name}-error`,
      'aria-invalid': error === undefined ? undefined : 'true',
    },
  }
}
