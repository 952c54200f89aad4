import { makeUscc } from '../domain/uscc.ts'

/** A fictional firm's credit code: check-digit valid, in region 000000, which no real firm can have. */
function fictionalUscc(serial: number): string {
  return makeUscc(`91000000${String(serial).padStart(8, '0')}X`)
}

const FIRMS = ['示例建材', '样本铸造', '虚构化工', '演示家具', '假想印务', '模拟水泥'] as const
const BUILDERS = ['示例建筑', '样本市政', '虚构土石方', '演示拆迁', '假想园林', '模拟路桥'] as const

export const NON_COMPLIANT: readonly Readonly<Record<string, string>>[] = FIRMS.map((name, index) => ({
  subjectKind: '企业',
  subjectName: `${name}有限公司（演示）`,
  uscc: fictionalUscc(index + 1),
  exceeded: '颗粒物排放浓度（演示）',
  reason: `演示数据：第 ${index + 1} 季度监督性监测颗粒物排放浓度超过标准。`,
  legalBasis: '《中华人民共和国大气污染防治法》第九十九条',
  decisionNo: `演示环罚〔2026〕${index + 1}号`,
  authority: '区环保局',
}))

export const DUST_BLACKLIST: readonly Readonly<Record<string, string>>[] = BUILDERS.map((name, index) => ({
  subjectKind: '企业',
  subjectName: `${name}工程有限公司（演示）`,
  uscc: fictionalUscc(index + 101),
  project: `演示项目${index + 1}期`,
  site: `示例路与样本街第 ${index + 1} 路口`,
  reason: '演示数据：土方未覆盖、车辆未冲洗，两次责令改正后仍未整改。',
  legalBasis: '《中华人民共和国大气污染防治法》第一百一十五条',
  decisionNo: `演示建扬〔2026〕${index + 1}号`,
  authority: '区建设局',
}))
