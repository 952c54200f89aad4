import { fileURLToPath } from 'node:url'
import { defineConfig, globalIgnores } from 'eslint/config'
import astro from 'eslint-plugin-astro'
import tseslint from 'typescript-eslint'

const root = fileURLToPath(new URL('..', import.meta.url))

// The outside world comes in through ports (services/ports.ts), so that rules can be tested at any moment.
const OUTSIDE = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Take the time from deps.clock.',
  },
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'Take the time from deps.clock.',
  },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'Take deps.random.' },
  { selector: "MemberExpression[property.name='randomUUID']", message: 'Take deps.random.uuid().' },
  { selector: "ImportSpecifier[imported.name='randomUUID']", message: 'Take deps.random.uuid().' },
  {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'Settings come from config.ts.',
  },
  { selector: "CallExpression[callee.name='fetch']", message: 'Only adapters talk to the outside.' },
]

const MAY_TOUCH_THE_OUTSIDE = [
  'src/adapters/**',
  'src/browser/**',
  'src/cli/**',
  'src/config.ts',
  'src/fetch.ts',
  'src/runtime.ts',
  'src/server.ts',
  'test/**',
  '.config/**',
  'astro.config.mjs',
]

export default defineConfig(
  globalIgnores(['dist/', 'data/', '.astro/', 'node_modules/', 'test/results/', 'public/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['.config/*.ts'] }, tsconfigRootDir: root },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Numbers print as one expects; every other type in a template still has to be said.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => void f()` and `() => f()` for a void f are both plain to read.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // A port's function may be async for one implementation and not for another.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // These three take a declared type for the truth; data from outside and state changed by a callback are not so.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      // `[...text]` walks code points, which is what Chinese text needs.
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  ...astro.configs.recommended,
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs', '**/*.astro'],
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-eval': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-console': ['error', { allow: ['error'] }],
    },
  },
  { files: ['src/cli/**', 'src/server.ts', 'test/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.astro'],
    rules: {
      'astro/no-set-html-directive': 'error',
      'astro/no-set-text-directive': 'error',
    },
  },
  {
    files: ['src/**', 'db/**'],
    ignores: MAY_TOUCH_THE_OUTSIDE,
    rules: { 'no-restricted-syntax': ['error', ...OUTSIDE] },
  },
)
