/**
 * What a resident reads about each category: examples to recognise it by, what helps the officer (`hint`), and,
 * where the plan leaves the owner open, how this site decides. Our own words; the plan's facts are in `routing.json`.
 */
export interface CategoryText {
  readonly examples: string
  readonly hint: string
  /** Null exactly for the categories that `routing.json` does not mark as ambiguous. */
  readonly ambiguity: string | null
}

const STATION =
  '方案把加油站的问题分给四组单位，本站按问题类型分派：油品标准归区发改统计局和区商务局，尿素归区商务局，油质和无证经营归区商务局和区工商质监局，油气泄漏归区环保局。'
const SITE_OWNER =
  '方案写明区建设局、区农委共同牵头，没有说明如何划分。本站的做法是：农业、农村项目派给区农委，其余派给区建设局。'
const ROAD_OWNER =
  '方案由区城管局、区交通局共同牵头。本站按道路类别分派：城区道路先派区城管局，国省道和城乡结合部先派区交通局。'

export const CATEGORY_TEXTS: Readonly<Record<string, CategoryText>> = {
  'restricted-fuel-use': {
    examples: '小饭店、澡堂、作坊烧煤；烧木柴、废油、工业废料',
    hint: '请写清是哪家店或哪个单位，烧的是什么。',
    ambiguity:
      '烧禁用燃料（措施3）由区环保局牵头，治理散煤（措施4）由区工商质监局牵头，两项有重叠。本站按“卖”还是“烧”、居民还是单位来分派。',
  },
  'loose-coal': {
    examples: '流动煤贩、蜂窝煤加工点、运散煤的车、居民家里烧散煤',
    hint: '请写清地点和常见的时间。',
    ambiguity:
      '方案没有区分卖散煤和居民烧散煤，都由区工商质监局牵头；单位在禁燃区内烧煤则由区环保局牵头。本站按您的回答分派。',
  },
  'boiler-coal': {
    examples: '该拆的燃煤锅炉还在用；拆了又装回来；夜里偷偷烧',
    hint: '方案针对10蒸吨/小时及以下的燃煤锅炉。不知道大小也可以举报。',
    ambiguity: null,
  },
  'boiler-biomass': {
    examples: '生物质锅炉冒烟；掺烧煤或垃圾；没有除尘设备就开',
    hint: '请写清冒烟的时间。',
    ambiguity: null,
  },
  'boiler-gas': {
    examples: '天然气锅炉没有做低氮改造；烟囱冒出有颜色的烟',
    hint: '外表不容易看出来，知道多少写多少。',
    ambiguity: null,
  },
  'industrial-emission': {
    examples: '工厂烟囱冒黑烟、黄烟；夜里偷偷排放；监测设备造假',
    hint: '请写清厂名或位置，以及看到的时间。',
    ambiguity: null,
  },
  'permit-violation': {
    examples: '没有排污许可证就生产；许可证上没有的工序在排放',
    hint: '排污许可证一般张贴在厂区显眼处。',
    ambiguity: null,
  },
  'voc-odour': {
    examples: '喷漆味、塑料味、油墨味；露天喷漆；汽修店的漆味',
    hint: '请写清味道像什么、什么时候最浓。',
    ambiguity:
      '工业异味（措施11）由区环保局牵头；汽车维修店（措施19）由区交通局牵头。本站把气味问题派给区环保局。',
  },
  'scattered-polluter': {
    examples: '没有手续的小作坊、小加工厂；居民区里的小翻砂、小塑料加工',
    hint: '请写清位置，晚上开工的请写时间。',
    ambiguity: null,
  },
  'peak-shift': {
    examples: '错峰生产期间，应当停产、限产的企业照常生产',
    hint: '错峰的起止日期以当年市里的通知为准。',
    ambiguity: '方案由区工信局、区环保局共同牵头，没有分主次。本站先派列在前面的区工信局，区环保局协办。',
  },
  'prohibited-industry': {
    examples: '在不允许的地方新建工厂；新上高耗能、高污染项目；新增过剩产能',
    hint: '请写清位置，以及正在建的是什么。',
    ambiguity:
      '方案按三项措施分别写了牵头单位。本站的做法是：位置不允许派中原规划分局，行业不允许派区发改统计局，产能过剩派区工信局。',
  },
  'emergency-noncompliance': {
    examples: '重污染天气预警期间，该停产的企业没停，该停工的工地没停',
    hint: '请写清日期和当时的预警级别（知道的话）。',
    ambiguity: '方案由区大气办牵头、各成员单位负责，成员名单没有附上。本站先派区大气办，由它转给主管单位。',
  },
  'nonroad-machinery': {
    examples: '挖掘机、装载机、叉车冒黑烟',
    hint: '请写清机械在哪个工地、厂区或物流园。',
    ambiguity: '工地里的机械同时涉及工地扬尘的牵头单位。本站按机械处理，派给区环保局。',
  },
  'diesel-vehicle': {
    examples: '柴油货车、罐车冒黑烟；关掉排放监控；不加尿素',
    hint: '车牌、时间、路段最有用。',
    ambiguity:
      '方案由交警二大队、区交通局共同牵头，没有说明如何划分。本站的做法是：营运车辆派区交通局，其他或看不出的派交警二大队。',
  },
  'bus-smoke': { examples: '公交车尾气冒黑烟', hint: '请写清线路、车牌和时间。', ambiguity: null },
  'municipal-vehicle': {
    examples: '洒水车、清扫车、垃圾车、市政工程车冒黑烟',
    hint: '请写清车牌、时间和路段。',
    ambiguity: null,
  },
  'vehicle-repair': {
    examples: '汽修店喷漆味大；维修排放系统弄虚作假',
    hint: '请写清店名和位置。',
    ambiguity:
      '维修单位由区交通局牵头；喷漆气味属于工业异味，由区环保局牵头。本站按“气味”还是“维修不规范”分派。',
  },
  'yellow-label-vehicle': {
    examples: '贴黄标的老旧车、应当淘汰的车还在路上跑',
    hint: '车牌、时间、路段最有用。',
    ambiguity: null,
  },
  'truck-restricted': {
    examples: '货车、农用三轮车在禁行时间或路段进城',
    hint: '请写清车牌、时间、路段和行驶方向。',
    ambiguity:
      '措施22没有写牵头单位，只写了交警二大队负责。渣土车、水泥罐车、物料车的违规行驶是另一类，请选“渣土车与物料运输”。',
  },
  'fuel-sale': {
    examples: '加油站卖普通柴油；卖的汽柴油标准不对',
    hint: '加油小票或油枪标牌的照片很有用。',
    ambiguity: STATION,
  },
  'urea-missing': {
    examples: '国省道、高速沿线的加油站没有合格的车用尿素卖',
    hint: '方案针对高速公路、国道、省道沿线的加油站。',
    ambiguity: STATION,
  },
  'fuel-quality': {
    examples: '加的油质量差；没有证照的黑加油点、流动加油车',
    hint: '黑加油点请写清位置和出现的时间，不要靠近。',
    ambiguity: STATION,
  },
  'vapour-recovery': {
    examples: '加油站、油库、油罐车油气味很重',
    hint: '请写清时间，以及是在加油还是卸油。',
    ambiguity: STATION,
  },
  'construction-dust': {
    examples: '工地没有围挡；土堆不盖；车辆不冲洗；路面不硬化；现场搅拌',
    hint: '工地门口的公示牌照片能帮助找到责任单位。',
    ambiguity: SITE_OWNER,
  },
  'demolition-dust': {
    examples: '拆房子不洒水；拆完的渣土不盖；围挡不够高',
    hint: '方案要求拆迁围挡不低于1.8米。',
    ambiguity: SITE_OWNER,
  },
  'stop-work-breach': {
    examples: '被责令停工还在干；大风天、重污染天还在挖土；冬防期违规动土',
    hint: '请写清看到施工的日期和时间。',
    ambiguity:
      '这类行为有三条依据：措施27、32由区建设局牵头，措施23由区建设局、区农委共同牵头。本站先派区建设局。',
  },
  'muck-truck': {
    examples: '渣土车一路撒土；车厢没有盖严；没有标识的“黑车”拉土',
    hint: '车牌、时间、路段最有用。',
    ambiguity: null,
  },
  'mud-carry-out': {
    examples: '车从工地、处置场出来带一路泥',
    hint: '能看出是哪个工地，请写出来。',
    ambiguity:
      '方案由区建设局、区行政执法局、区农委共同牵头。本站的做法是：看得出工地的派区建设局，看不出的派区行政执法局。',
  },
  'black-haulage': {
    examples: '工地找没有资质的公司或车辆运渣土',
    hint: '请写清工地位置、车牌或车身上的公司名。',
    ambiguity:
      '方案由区行政执法局、区建设局、区农委共同牵头，没有分主次。本站先派列在前面的区行政执法局；常西湖新区、中原新区管委会协办。',
  },
  'muck-truck-driving': {
    examples: '渣土车、水泥罐车、拉沙石的车在禁行时间或路段行驶',
    hint: '请写清车牌、时间、路段和行驶方向。',
    ambiguity:
      '方案没有写牵头单位，区行政执法局、交警二大队、区交通局都是责任单位。本站先派列在前面的区行政执法局。',
  },
  'road-dust': {
    examples: '路面积土、车一过就扬尘；很久没有清扫、洒水',
    hint: '请写清路名和大致路段。',
    ambiguity: ROAD_OWNER,
  },
  'road-damage': {
    examples: '路面坑洼、破损，车一过就起尘',
    hint: '请写清路名和大致路段。',
    ambiguity: ROAD_OWNER,
  },
  'municipal-roadworks': {
    examples: '修路、埋管道的工地不盖土；围起来长期不施工',
    hint: '请写清路名和围挡上的施工单位。',
    ambiguity:
      '这类工地同时属于建筑工地（措施23）和市政道路施工（措施28）。本站按市政道路处理，先派区城管局。',
  },
  'bare-soil': {
    examples: '路边、空地、绿化带里的黄土露在外面',
    hint: '请写清位置和大概的面积。',
    ambiguity: null,
  },
  'industrial-stockpile': {
    examples: '工厂里的煤堆、沙堆、灰堆没有围挡、没有遮盖',
    hint: '请写清是哪家企业。',
    ambiguity: '工业企业的堆场由区环保局牵头；其他露天堆放由各街道办事处负责。本站按是否属于工业企业分派。',
  },
  'open-stockpile': {
    examples: '路边、空地上的沙石堆、土堆、建材堆没有遮盖',
    hint: '请写清位置和堆的是什么。',
    ambiguity:
      '措施33没有写牵头单位，只写了各街道办事处负责；工厂里的堆场由区环保局牵头。本站按是否属于工业企业分派。',
  },
  'sanitation-blackspot': {
    examples: '没人清理的垃圾堆、卫生死角',
    hint: '请写清位置。',
    ambiguity: null,
  },
  'cooking-fume': {
    examples: '饭店油烟直接排到街上、排到楼里；没有净化器或不开',
    hint: '请写清店名和油烟最重的时间。',
    ambiguity:
      '营业中的饭店由区行政执法局牵头；居民楼里新开的饭店，审批由区环保局负责。本站按“新开”还是“营业中”分派。',
  },
  'open-bbq': { examples: '路边、广场上的露天烧烤', hint: '请写清地点和出摊时间。', ambiguity: null },
  'restaurant-siting': {
    examples: '居民楼里正在装修、新开有油烟的饭店',
    hint: '请写清楼栋，以及楼上有没有住户。',
    ambiguity:
      '居民楼里新开的饭店，审批由区环保局负责；已经营业的由区行政执法局牵头。本站按“新开”还是“营业中”分派。',
  },
  'straw-burning': { examples: '田里、村边烧秸秆', hint: '火势大请先打119。', ambiguity: null },
  'waste-burning': {
    examples: '烧垃圾、烧树叶、烧塑料',
    hint: '火势大请先打119。',
    ambiguity: null,
  },
  fireworks: {
    examples: '在禁放的地方或时间放烟花、放鞭炮',
    hint: '正在燃放的，请先打110。',
    ambiguity:
      '方案由四个公安分局按辖区牵头，但没有写辖区界线。辖区表没有填好时，本站先派当地街道办事处，四个公安分局协办。',
  },
  'department-inaction': {
    examples: '举报过的问题没人管；单位拖着不办、敷衍了事',
    hint: '请选择您要反映的单位。这个单位收不到，也看不到。',
    ambiguity: '方案没有写明这类举报由谁受理。措施40由区政府督查室负责督查，所以本站派给它；这是本站的推定。',
  },
  other: {
    examples: '不知道属于哪一类；上面都没有的空气污染问题',
    hint: '请尽量写清看到了什么、在哪里。',
    ambiguity:
      '方案没有写兜底单位。区大气办负责统筹协调，所以本站先派给它，由它转给主管单位；这是本站的推定。',
  },
}
