import type { Outcome } from '../domain/case.ts'
import type { NamedReporter } from '../domain/identity.ts'
import type { Urgency, WhenBucket } from '../domain/tip.ts'
import type { Scene } from './drawings.ts'

/** One fictional case: who reported what, and how far it has come. */
export interface DemoStory {
  /** Days before today on which it was reported. */
  readonly daysAgo: number
  readonly category: string
  readonly answer: string | null
  readonly area: string
  readonly when: WhenBucket
  readonly urgency: Urgency
  readonly accused?: string
  readonly description: string
  readonly place: string
  readonly callback: string | null
  /** Who reported it; anonymous unless told. */
  readonly named?: NamedReporter
  /** Why the officer asks who it was; the request waits. */
  readonly asks?: string
  /** What its photo shows. */
  readonly scene: Scene
  /** `handed-over` and `arbitration` pass through `via`; `attached` joins the story before it. */
  readonly until:
    | 'routed'
    | 'accepted'
    | 'working'
    | 'handed-over'
    | 'arbitration'
    | 'attached'
    | 'concluded'
    | 'published'
    | 'disputed'
  /** The department to which it is handed over or returned. */
  readonly via?: string
  /** Days from receipt to the conclusion; 9 when nothing is said. */
  readonly concludedAfter?: number
  /** What the inspector's photo shows. */
  readonly found?: Scene
  readonly outcome?: Outcome
  readonly statement?: string
  readonly proof?: string
}

export const DEMO_STORIES: readonly DemoStory[] = [
  {
    daysAgo: 0,
    category: 'voc-odour',
    answer: null,
    area: '410102012',
    when: 'now',
    urgency: 'soon',
    description: '（演示）示例家具厂后院在露天喷漆，味道很冲，傍晚开始。',
    place: '（演示）示例路 1 号后院',
    callback: '13800000000',
    named: { name: '（演示）示例居民甲', contact: '13800000000' },
    scene: 'yard',
    until: 'routed',
  },
  {
    daysAgo: 1,
    category: 'construction-dust',
    answer: 'building',
    area: '410102011',
    when: 'recurring',
    urgency: 'normal',
    description: '（演示）样本花园工地土方没有盖，出来的车没有冲洗，路上都是泥。',
    place: '（演示）样本街与示例路交叉口',
    callback: null,
    scene: 'site',
    until: 'routed',
  },
  {
    daysAgo: 3,
    category: 'industrial-emission',
    answer: null,
    area: '410102012',
    when: 'recurring',
    urgency: 'danger',
    description: '（演示）夜里十一点以后烟囱冒黄烟，白天没有。',
    place: '（演示）示例工业园 3 号门',
    callback: null,
    named: { name: '（演示）示例居民乙', contact: 'yi@example.invalid' },
    asks: '（演示）夜里去过两次都没有看到黄烟，想当面问清是哪几天、几点。',
    scene: 'chimney',
    until: 'accepted',
  },
  {
    daysAgo: 5,
    category: 'open-bbq',
    answer: null,
    area: '410102003',
    when: 'recurring',
    urgency: 'normal',
    description: '（演示）晚上七点后路边三家烧烤摊没有净化设备，烟直接进楼。',
    place: '（演示）示例社区南门',
    callback: null,
    scene: 'barbecue',
    until: 'working',
  },
  {
    daysAgo: 9,
    category: 'other',
    answer: null,
    area: 'unsure',
    when: 'this-week',
    urgency: 'normal',
    description: '（演示）不知道归谁管：早上总有一股烧塑料的味道。',
    place: '',
    callback: null,
    scene: 'street',
    until: 'routed',
  },
  {
    daysAgo: 12,
    category: 'department-inaction',
    answer: null,
    area: '410102005',
    when: 'older',
    urgency: 'normal',
    accused: 'qu-chengguan',
    description: '（演示）同一处裸土反映过两次，没有人来看。',
    place: '（演示）样本河堤',
    callback: null,
    scene: 'river-bank',
    until: 'accepted',
  },
  {
    daysAgo: 38,
    category: 'scattered-polluter',
    answer: null,
    area: '410102012',
    when: 'older',
    urgency: 'normal',
    description: '（演示）院子里在熔旧铝，没有牌子。',
    place: '（演示）示例村东头',
    callback: null,
    scene: 'yard',
    until: 'working',
  },
  {
    daysAgo: 20,
    category: 'muck-truck',
    answer: null,
    area: '410102011',
    when: 'this-week',
    urgency: 'soon',
    description: '（演示）渣土车顶盖没有合上，一路掉土。',
    place: '（演示）示例大道由东向西',
    callback: null,
    scene: 'truck',
    until: 'concluded',
    outcome: 'substantiated',
    statement: '经查，被反映的运输车辆密闭装置损坏，沿途有遗撒。已责令停运整改，并清洗路面。',
    proof: '演示执罚〔2026〕7号',
  },
  {
    daysAgo: 17,
    category: 'waste-burning',
    answer: null,
    area: '410102008',
    when: 'today',
    urgency: 'soon',
    description: '（演示）空地上在烧建筑垃圾和树叶，黑烟很大。',
    place: '（演示）样本巷尽头空地',
    callback: null,
    scene: 'burning',
    until: 'published',
    outcome: 'substantiated',
    statement: '现场有焚烧痕迹，已扑灭并清理。空地管理单位被责令加装围挡并安排专人看管。',
    proof: '演示执罚〔2026〕2号',
  },
  {
    daysAgo: 52,
    category: 'construction-dust',
    answer: 'building',
    area: '410102011',
    when: 'recurring',
    urgency: 'normal',
    description: '（演示）大风天还在挖土，没有洒水。',
    place: '（演示）示例花园二期',
    callback: null,
    scene: 'site',
    until: 'published',
    outcome: 'partly',
    statement: '检查时土方作业已停，部分裸土未覆盖。已要求当日全部覆盖，复查合格。',
    proof: '整改复查记录：裸土已全部覆盖，出入口冲洗设施已启用。',
    found: 'covered-site',
  },
  {
    daysAgo: 60,
    category: 'cooking-fume',
    answer: 'open',
    area: '410102004',
    when: 'recurring',
    urgency: 'normal',
    description: '（演示）楼下饭店的排烟口正对卧室。',
    place: '（演示）样本里 5 号楼下',
    callback: null,
    scene: 'vent',
    until: 'published',
    outcome: 'unsubstantiated',
    statement: '检查时油烟净化设施正常运行，三日内两次检测均达标。已请店家定期清洗并公示清洗记录。',
    proof: '检测报告：示检〔2026〕15号',
  },
  {
    daysAgo: 6,
    category: 'mud-carry-out',
    answer: 'yes',
    area: '410102011',
    when: 'this-week',
    urgency: 'normal',
    description: '（演示）工地门口一路泥，下雨更厉害。',
    place: '（演示）示例路北段',
    callback: null,
    scene: 'truck',
    until: 'handed-over',
    via: 'qu-zhifa',
  },
  {
    daysAgo: 4,
    category: 'industrial-emission',
    answer: null,
    area: '410102007',
    when: 'recurring',
    urgency: 'normal',
    description: '（演示）小区旁边的洗涤房每天下午冒白烟，有刺鼻味。',
    place: '（演示）样本小区西墙外',
    callback: null,
    scene: 'chimney',
    until: 'arbitration',
    via: 'qu-zhifa',
  },
  {
    daysAgo: 2,
    category: 'open-bbq',
    answer: null,
    area: '410102003',
    when: 'today',
    urgency: 'normal',
    description: '（演示）南门外的烧烤又摆出来了，烟很大。',
    place: '（演示）示例社区南门外',
    callback: null,
    scene: 'barbecue',
    until: 'routed',
  },
  {
    daysAgo: 1,
    category: 'open-bbq',
    answer: null,
    area: '410102003',
    when: 'today',
    urgency: 'normal',
    description: '（演示）同一处烧烤摊，楼上开不了窗。',
    place: '（演示）示例社区南门',
    callback: null,
    scene: 'barbecue',
    until: 'attached',
  },
  {
    daysAgo: 22,
    category: 'construction-dust',
    answer: 'building',
    area: '410102006',
    when: 'recurring',
    urgency: 'soon',
    description: '（演示）围挡缺了一段，里面的土堆没有盖。',
    place: '（演示）样本大道工地东侧',
    callback: null,
    scene: 'site',
    until: 'disputed',
    outcome: 'unsubstantiated',
    statement: '检查时围挡完整，土方已覆盖，没有发现反映的情况。',
    proof: '现场检查记录：围挡、覆盖均符合要求。',
    found: 'covered-site',
  },
  {
    daysAgo: 74,
    category: 'industrial-emission',
    answer: null,
    area: '410102012',
    when: 'recurring',
    urgency: 'soon',
    description: '（演示）除尘设备停着，车间照常生产，窗台上都是灰。',
    place: '（演示）示例工业园 5 号院',
    callback: null,
    scene: 'chimney',
    until: 'published',
    concludedAfter: 30,
    outcome: 'substantiated',
    statement: '经查，企业擅自停运除尘设施。已责令改正并立案处罚，复查时设施正常运行。',
    proof: '演示环罚〔2026〕31号',
  },
  {
    daysAgo: 88,
    category: 'waste-burning',
    answer: null,
    area: '410102002',
    when: 'today',
    urgency: 'soon',
    description: '（演示）拆迁空地夜里烧电线皮，味道刺鼻。',
    place: '（演示）样本村空地',
    callback: null,
    scene: 'burning',
    until: 'published',
    outcome: 'substantiated',
    statement: '查实并当场制止，已对当事人处罚，空地由街道安排巡查。',
    proof: '演示执罚〔2026〕1号',
  },
]
