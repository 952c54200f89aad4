import { signOut, watchIdle } from './session.ts'

document.querySelector('[data-sign-out]')?.addEventListener('click', () => void signOut())
watchIdle()
