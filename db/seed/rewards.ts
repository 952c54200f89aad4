import type { RewardTerms } from '../../src/domain/reward.ts'

/**
 * An example of a schedule, for the console's form to begin from. It is in force nowhere: rewards are closed until two
 * people have confirmed a schedule with a title and a document of the operator's own.
 *
 * Amounts by category are those that the city itself once paid; amounts by penalty are a province's. What neither says
 * is ours, and {@link EXAMPLE_SOURCES} tells which is which.
 */
const YUAN = 100

/**
 * @source 郑州市环境污染有奖举报暂行办法（郑环攻坚办〔2018〕115号，2018-06-01）, as printed in 郑州日报 2018-08-06
 *   (zzrb.zynews.cn/html/2018-08/06/content_985782.htm): 500, 1000 and 5000 yuan
 */
const FIXED_YUAN: Readonly<Record<number, readonly string[]>> = {
  500: [
    'construction-dust',
    'demolition-dust',
    'diesel-vehicle',
    'bus-smoke',
    'municipal-vehicle',
    'muck-truck',
    'black-haulage',
    'boiler-coal',
    'voc-odour',
    'fireworks',
    'straw-burning',
    'waste-burning',
    'cooking-fume',
    'open-bbq',
  ],
  1000: ['industrial-emission', 'permit-violation', 'scattered-polluter'],
  5000: ['emergency-noncompliance', 'fuel-quality'],
}

/**
 * @source 山东省生态环境违法行为举报奖励暂行规定（鲁环发〔2021〕6号）: a warning 100, an order to correct 200, clearing
 *   of a scattered polluter or a fine below 30,000 yuan 500
 */
const PENALTY_YUAN = { warning: 100, correction: 200, shutdown: 500 } as const

export const EXAMPLE_TERMS: RewardTerms = {
  fixedFen: Object.fromEntries(
    Object.entries(FIXED_YUAN).flatMap(([yuan, ids]) => ids.map((id) => [id, Number(yuan) * YUAN])),
  ),
  penaltyFen: {
    warning: PENALTY_YUAN.warning * YUAN,
    correction: PENALTY_YUAN.correction * YUAN,
    shutdown: PENALTY_YUAN.shutdown * YUAN,
  },
  fineTiers: [
    { fromFen: 0, amountFen: 500 * YUAN },
    { fromFen: 30_000 * YUAN, amountFen: 1000 * YUAN },
    { fromFen: 200_000 * YUAN, amountFen: 3000 * YUAN },
  ],
  partlyPercent: 50,
  capFen: 5000 * YUAN,
  yearBudgetFen: 500_000 * YUAN,
  window: { count: 60, unit: 'calendar' },
}

/** Where the example's figures come from, for whoever reads it. */
export const EXAMPLE_SOURCES: readonly string[] = [
  '各类别的定额：仿照《郑州市环境污染有奖举报暂行办法》（郑环攻坚办〔2018〕115号，见《郑州日报》2018年8月6日），500元、1000元、5000元三档；该办法没有列出的类别留空，不奖励。',
  '警告、责令改正、关停取缔和罚款不满3万元：仿照《山东省生态环境违法行为举报奖励暂行规定》（鲁环发〔2021〕6号），100元、200元、500元、500元。',
  '罚款3万元以上的两档、部分属实减半、每件上限、全年预算和60天领取期限，是本站举的例子，没有文件依据。',
]
