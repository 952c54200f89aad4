import { makeUscc } from '../domain/uscc.ts'

/** A fictional firm's credit code: check-digit valid, in region 000000, which no real firm can have. */
function fictionalUscc(serial: number): string {
  return makeUscc(`91000000${String(serial).padStart(8, '0')}X`)
}

const NAMES = ['示例', '样本', '虚构', '演示', '假想', '模拟', '想象', '拟定', '杜撰', '举例'] as const
const FIRM_TRADES = ['建材', '铸造', '化工'] as const
const BUILDER_TRADES = ['建筑', '市政', '土石方'] as const
const EXCEEDED = ['颗粒物排放浓度', '氮氧化物排放浓度', '挥发性有机物无组织排放'] as const
const FACTS = [
  '土方未覆盖、车辆未冲洗，两次责令改正后仍未整改。',
  '重污染天气预警期间仍在土方作业。',
  '围挡不全，现场搅拌砂浆，被通报后再次发生。',
] as const

/** Thirty fictional firms for a list; the newest last. */
const thirty = <T>(make: (name: string, kind: 0 | 1 | 2, serial: number) => T): readonly T[] =>
  Array.from({ length: 30 }, (_, index) =>
    make(NAMES[index % NAMES.length] ?? NAMES[0], Math.floor(index / NAMES.length) as 0 | 1 | 2, index + 1),
  )

export const NON_COMPLIANT: readonly Readonly<Record<string, string>>[] = thirty((name, kind, serial) => ({
  subjectKind: '企业',
  subjectName: `${name}${FIRM_TRADES[kind]}有限公司（演示）`,
  uscc: fictionalUscc(serial),
  exceeded: `${EXCEEDED[kind]}（演示）`,
  reason: `演示数据：监督性监测中${EXCEEDED[kind]}超过标准。`,
  legalBasis: '《中华人民共和国大气污染防治法》第九十九条',
  decisionNo: `演示环罚〔2026〕${serial}号`,
  authority: '区环保局',
}))

export const DUST_BLACKLIST: readonly Readonly<Record<string, string>>[] = thirty((name, kind, serial) => ({
  subjectKind: '企业',
  subjectName: `${name}${BUILDER_TRADES[kind]}工程有限公司（演示）`,
  uscc: fictionalUscc(serial + 100),
  project: `演示项目${serial}期`,
  site: `示例路与样本街第 ${serial} 路口`,
  reason: `演示数据：${FACTS[kind]}`,
  legalBasis: '《中华人民共和国大气污染防治法》第一百一十五条',
  decisionNo: `演示建扬〔2026〕${serial}号`,
  authority: '区建设局',
}))
