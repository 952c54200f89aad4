/**
 * What the site says about the plan as a whole, in our own words; titles, names, dates and figures are those of
 * 中原政〔2017〕2号. The measures have texts of their own in `measures/`.
 */
export interface PlanDocument {
  readonly title: string
  /** With the brackets of official numbers, 〔〕. */
  readonly number: string
  readonly issuer: string
  /** `YYYY-MM-DD` */
  readonly date: string
  readonly addressees: readonly string[]
  /** What kind of document this is, in plain words. */
  readonly text: string
}

export const PLAN_DOCUMENT: PlanDocument = {
  title: '中原区2017年大气污染防治攻坚行动方案',
  number: '中原政〔2017〕2号',
  issuer: '郑州市中原区人民政府',
  date: '2017-02-27',
  addressees: ['各街道办事处', '区人民政府各部门', '各有关单位'],
  text: '这是郑州市中原区人民政府在2017年2月27日印发的年度行动方案，发给各街道办事处、区人民政府各部门和各有关单位。它分八类列出47条措施，写明每条由谁做；有的写了期限，有的没有写。方案里的期限都在2017年，本站把它们当作方案的内容来说明。本站的解释是用大白话另写的，不是原文；有出入的，以原文为准。',
}

export interface PlanTargetText {
  readonly id: 'pm10' | 'pm25' | 'good-days'
  /** `PM10年平均浓度`, the name used in the data. */
  readonly what: string
  readonly op: '<=' | '>='
  readonly value: number
  readonly unit: string
  readonly text: string
  /** How the figure is to be read, or null. */
  readonly note: string | null
}

export const PLAN_TARGETS: readonly PlanTargetText[] = [
  {
    id: 'pm10',
    what: 'PM10年平均浓度',
    op: '<=',
    value: 121,
    unit: '微克/立方米',
    text: '2017年，每立方米空气里的PM10，平均下来不高于121微克。PM10是能吸进呼吸道的细颗粒，扬尘是它的来源之一。',
    note: '原文写“平均浓度”，本站按全年平均理解。',
  },
  {
    id: 'pm25',
    what: 'PM2.5年平均浓度',
    op: '<=',
    value: 64,
    unit: '微克/立方米',
    text: '2017年，每立方米空气里的PM2.5，平均下来不高于64微克。PM2.5更细，能进到肺的深处。',
    note: '原文写“平均浓度”，本站按全年平均理解。',
  },
  {
    id: 'good-days',
    what: '优良天数',
    op: '>=',
    value: 190,
    unit: '天',
    text: '2017年，空气质量是“优”或“良”的日子，要达到190天以上。',
    note: '“优”和“良”就是空气质量指数（AQI）不超过100的日子，按当时执行的HJ 633-2012来算。原文没有另外写算法。',
  },
]

export interface SafeguardText {
  /** `s4-1` … `s4-7`, as in `goals.json`. */
  readonly id: string
  /** As people cite it: 四(六). */
  readonly ref: string
  readonly title: string
  readonly text: string
}

export const SAFEGUARDS: readonly SafeguardText[] = [
  {
    id: 's4-1',
    ref: '四(一)',
    title: '强化责任',
    text: '空气好不好，党委和政府要负总责，一把手亲自抓，并设专职的协调机构，各部门配合着干。企业是治污的责任主体：要守规矩、舍得投入、用好的工艺，在达标之外尽量再少排，并接受社会监督。',
  },
  {
    id: 's4-2',
    ref: '四(二)',
    title: '强化考核',
    text: '每年考核一次，结果向社会公开，也用来评价领导班子和领导干部。做得好的单位通报表彰，分治污资金时多得一些；不合格、没按时完成任务的，“一票否决”。',
  },
  {
    id: 's4-3',
    ref: '四(三)',
    title: '强化督导',
    text: '区委区政府、各委局、各街道办事处，三级都要督导，平时督、专项督、应急时也督。该管不管、执法不力的，对责任领导和责任人依法依规处理。您投诉部门不作为，就和这一条有关。',
  },
  {
    id: 's4-4',
    ref: '四(四)',
    title: '强化执法',
    text: '对环境违法“零容忍”，查到的“重管、重罚、重处”，重点行业和重点区域要专项检查。监管部门和检察、审判部门配合；涉嫌犯罪的，依法追究刑事责任。',
  },
  {
    id: 's4-5',
    ref: '四(五)',
    title: '强化资金保障',
    text: '治污是重点民生工程，钱要列进财政预算，花的时候要管好。区财政部门会同有关部门负责引导和监管。具体有多少钱，这份方案没有写。',
  },
  {
    id: 's4-6',
    ref: '四(六)',
    title: '强化宣传',
    text: '和居民关系最近的一条。各单位要及时发布主要措施，把五件事讲明白：企业错峰生产、餐饮油烟治理、燃煤锅炉拆改、黄标车淘汰、污染天气管控。要公示各类污染源归谁管、举报电话和信箱是什么，让举报的路走得通，并实行大气污染有奖举报。电话、信箱和奖励的数额，原文没有写。本站就是照着这一条做的。',
  },
  {
    id: 's4-7',
    ref: '四(七)',
    title: '强化调度',
    text: '原文要求各责任单位在2017年2月28日前，把本单位的专项工作方案报给区大气办；每月24日前，报一次工作进展。还要定期开调度会，“挂图作战、对账销号”：问题列成账，当场交给单位，限期办好，办好一件划掉一件。',
  },
]

export interface PublicationDuty {
  /** As people cite it: `14`, `19(1)`, `四(六)`. */
  readonly ref: string
  /** The measure, when the duty stands in one. */
  readonly measure: string | null
  /** The item, when the duty stands in one. */
  readonly item: string | null
  /** The safeguard, when the duty stands in one. */
  readonly safeguard: string | null
  /** The duty in short, as in `goals.json`. */
  readonly duty: string
  readonly text: string
}

export const PUBLICATION_DUTIES: readonly PublicationDuty[] = [
  {
    ref: '14',
    measure: '2017-14',
    item: null,
    safeguard: null,
    duty: '重点污染源污染物排放情况公开',
    text: '排放大户往空气里排了多少，要让大家看得到。多久公开一次，原文没有写。',
  },
  {
    ref: '14',
    measure: '2017-14',
    item: null,
    safeguard: null,
    duty: '公布未达标企业名单',
    text: '排放没有达标的企业，要列成名单公布，接受社会监督。',
  },
  {
    ref: '19(1)',
    measure: '2017-19',
    item: '2017-19.1',
    safeguard: null,
    duty: '各类违法行为向社会曝光',
    text: '重型柴油车等的违法行为，处罚之外还要向社会曝光。',
  },
  {
    ref: '39',
    measure: '2017-39',
    item: null,
    safeguard: null,
    duty: '应急减排清单向社会公布',
    text: '重污染天哪家企业停什么、减什么，要列成清单公布。',
  },
  {
    ref: '四(二)',
    measure: null,
    item: null,
    safeguard: 's4-2',
    duty: '考核结果向社会公开',
    text: '各单位治污做得怎么样，每年考核，结果要公开。',
  },
  {
    ref: '四(六)',
    measure: null,
    item: null,
    safeguard: 's4-6',
    duty: '及时发布主要措施并做好五类解读',
    text: '主要措施要及时发布；错峰生产、锅炉拆改、黄标车淘汰、污染天气管控、餐饮油烟这五件事要讲明白。',
  },
  {
    ref: '四(六)',
    measure: null,
    item: null,
    safeguard: 's4-6',
    duty: '公示各类污染源主管部门的举报电话、信箱',
    text: '每一类污染归谁管、打哪个电话、写到哪个信箱，都要公示。号码本身原文没有写。',
  },
  {
    ref: '四(六)',
    measure: null,
    item: null,
    safeguard: 's4-6',
    duty: '实施大气污染有奖举报',
    text: '举报大气污染可以得到奖励。奖多少、怎么领，原文没有写。',
  },
]

export interface SectionIntro {
  /** 1 to 8. */
  readonly no: number
  readonly text: string
}

export const SECTION_INTROS: readonly SectionIntro[] = [
  { no: 1, text: '从城市怎么布局、工厂放在哪里想起，让脏空气更容易散开。' },
  { no: 2, text: '管住烧煤：划禁燃区、清散煤、拆改小锅炉、看住生物质锅炉。' },
  { no: 3, text: '管住工厂：不许新建的不建，该搬的搬，该治的治，该公开的公开。' },
  { no: 4, text: '管住车、油和机械：冒黑烟的要查，老车要退，油品要合格。' },
  { no: 5, text: '管住灰：工地、渣土车、道路、裸土和料堆，一样一样立规矩。' },
  { no: 6, text: '管住身边的烟：油烟、烧烤、烧秸秆、烧垃圾、放鞭炮。' },
  { no: 7, text: '重污染天怎么办：及时预警、提前列好清单、有人督查。' },
  { no: 8, text: '打基础：摸清来源、做研究、布监测、编规划。这些多是部门自己的工作。' },
]

export interface ChecklistItem {
  readonly id: string
  /** What the citizen saw missing, with the plan's wording in brackets where it has a name. */
  readonly label: string
}

/** A list of the plan that a reporter can tick: what should have been there, and was not. */
export interface Checklist {
  readonly id: string
  /** Category ids of `routing.json` whose form shows this list. */
  readonly categories: readonly string[]
  /** `2017-24` */
  readonly measure: string
  /** The item the list stands in (`2017-24.2`), or null when it stands in the measure as a whole. */
  readonly item: string | null
  readonly question: string
  readonly items: readonly ChecklistItem[]
}

export const CHECKLISTS: readonly Checklist[] = [
  {
    id: 'building-site',
    categories: ['construction-dust'],
    measure: '2017-23',
    item: '2017-23.1',
    question:
      '方案要求工地做到“六个百分之百”和“两个禁止”。您看到哪些没有做到？看到几样勾几样，没有也可以不勾。',
    items: [
      { id: 'enclosure', label: '工地周边没有围挡，或者围挡缺了一段（工地周边百分之百围挡）' },
      { id: 'cover', label: '沙土、石料、土堆没有盖（物料堆放百分之百覆盖）' },
      { id: 'wash', label: '车辆没有冲洗就开出工地（出入车辆百分之百冲洗）' },
      { id: 'paving', label: '工地里的路还是土路，没有硬化（施工现场道路百分之百硬化）' },
      { id: 'wet-work', label: '拆房子不洒水、不喷雾（拆迁工地百分之百湿法作业）' },
      { id: 'closed-haulage', label: '渣土车没有盖严就上路（渣土车辆百分之百密闭运输）' },
      { id: 'concrete-mixing', label: '在工地现场搅拌混凝土（禁止现场搅拌混凝土）' },
      { id: 'mortar-mixing', label: '在工地现场拌砂浆（禁止现场配制砂浆）' },
    ],
  },
  {
    id: 'demolition-site',
    categories: ['demolition-dust'],
    measure: '2017-24',
    item: '2017-24.2',
    question:
      '方案要求拆迁工地设围挡、随拆随洒水、及时清运垃圾。您看到哪些没有做到？数字不用量，估一估就行。',
    items: [
      { id: 'enclosure', label: '外围没有围挡' },
      { id: 'enclosure-height', label: '有围挡，但看着不到1.8米（要求不低于1.8米）' },
      { id: 'no-water', label: '拆房子的时候没有洒水（要求随拆随洒水、湿法作业）' },
      { id: 'thrown-down', label: '垃圾从高处直接抛下来（严禁随意凌空抛撒）' },
      { id: 'no-chute', label: '拆楼的垃圾没有走封闭的垃圾道，也没有用容器吊下来' },
      { id: 'rubble-volume', label: '垃圾堆得很多，看着超过60立方米（要求不超过60立方米）' },
      { id: 'road-spill', label: '工地外的路上有洒落的渣土，没有人清理' },
      { id: 'bare-after', label: '拆完的空地一直露着土，没有硬化，也没有种草' },
    ],
  },
  {
    id: 'muck-truck-load',
    categories: ['muck-truck'],
    measure: '2017-25',
    item: '2017-25.2',
    question: '方案要求渣土车密封，做到无外露、无遗撒、无高尖、无扬尘。您看到哪些没有做到？',
    items: [
      { id: 'not-closed', label: '车厢没有封严、没有盖' },
      { id: 'exposed', label: '土露在车厢外面（要求无外露）' },
      { id: 'spilling', label: '一路走一路掉（要求无遗撒）' },
      { id: 'heaped', label: '装得冒尖，高过车厢（要求无高尖）' },
      { id: 'dusty', label: '车开过去扬起一路灰（要求无扬尘）' },
    ],
  },
  {
    id: 'municipal-roadworks-site',
    categories: ['municipal-roadworks'],
    measure: '2017-28',
    item: '2017-28.4',
    question: '方案要求修路时盖好裸土和物料、洒水压尘，完工及时清场，不许“围而不建”。您看到哪些没有做到？',
    items: [
      { id: 'fenced-idle', label: '路围起来了，却一直没有人施工（杜绝“围而不建”）' },
      { id: 'uncovered', label: '裸露的地面、物料或土方没有全部盖住（要求有效全遮盖）' },
      { id: 'no-water', label: '施工时没有洒水，灰尘很大（要求洒水压尘）' },
      { id: 'not-cleared', label: '完工了，场地没清、坑没填好、地上积着灰' },
    ],
  },
  {
    id: 'industrial-stockpile-site',
    categories: ['industrial-stockpile'],
    measure: '2017-30',
    item: null,
    question: '方案给工业露天堆场定了六条要求。您看到哪些没有做到？站在厂外看得到的就行。',
    items: [
      { id: 'not-enclosed', label: '新建的料场敞着，不是全封闭库房，也没有天棚加围墙围挡' },
      { id: 'no-dust-control', label: '料堆没有围挡、抑尘网、遮盖，也没有喷淋洒水，刮风就起灰' },
      { id: 'open-conveyor', label: '传送带没有封闭，料往下掉、灰往外飞' },
      { id: 'dusty-unloading', label: '卸料、落料时没有收尘和喷淋，灰尘很大' },
      { id: 'unpaved', label: '场地没有硬化、料区和道路没分开，或者散料没人清' },
      { id: 'no-wheel-wash', label: '进出口没有冲洗池、洗轮机，车带着泥上路' },
    ],
  },
  {
    id: 'open-stockpile-site',
    categories: ['open-stockpile'],
    measure: '2017-33',
    item: null,
    question: '方案要求在用的露天堆场有围挡、防风抑尘网和防尘遮盖。您看到哪些没有做到？',
    items: [
      { id: 'no-fence', label: '没有围墙，也没有围挡' },
      { id: 'no-net', label: '没有防风抑尘网' },
      { id: 'no-cover', label: '料堆没有遮盖' },
      { id: 'dusty', label: '一刮风、一装卸就起灰（要求不起尘）' },
    ],
  },
]
