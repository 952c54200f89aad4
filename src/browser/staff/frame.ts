import { signOut, watchIdle } from './session.ts'
import { guardChanges } from './step-up.ts'

document.querySelector('[data-sign-out]')?.addEventListener('click', () => void signOut())
watchIdle()
guardChanges()
