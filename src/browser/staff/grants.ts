import { grantDepartmentKey } from '../../sealing/department-keys.ts'
import { postJson, toBase64Url, wakeDepartmentKeys } from './session.ts'

const status = document.querySelector<HTMLElement>('[data-status]')

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-grant]')) {
  button.addEventListener('click', () => {
    const { grant: memberId = '', recipient = '', department = '', epoch = '0' } = button.dataset
    wakeDepartmentKeys()
      .then(async (keys) => {
        const key = keys?.find((held) => held.department === department && held.epoch === Number(epoch))
        if (!key) throw new Error('这个标签页里没有本单位的钥匙，请退出后重新登录。')
        const wrapped = await grantDepartmentKey({ department, epoch: key.epoch }, key.identity, recipient)
        await postJson('/api/v1/staff/grants', { memberId, epoch: key.epoch, wrapped: toBase64Url(wrapped) })
        location.reload()
      })
      .catch((error: unknown) => {
        if (status) status.textContent = error instanceof Error ? error.message : '没有成功。'
      })
  })
}
