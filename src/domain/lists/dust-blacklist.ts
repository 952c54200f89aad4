import type { ListKind } from '../list.ts'
import { column, COMMON } from './columns.ts'

/**
 * @source 中原政〔2017〕2号, measure 26: the plan orders rules for the list to be made and names its effects; it gives
 * no term, so none is made up here.
 */
export const DUST_BLACKLIST: ListKind = {
  id: 'dust-blacklist',
  name: '扬尘黑名单',
  prefix: 'YC',
  description: '扬尘污染防治不力、情节严重的施工单位和工程项目。',
  hook: '对扬尘污染防治不力、情节严重的施工单位要列入行业“黑名单”，实施重点监管，并禁止参加政府投资项目的招投标',
  measureRefs: ['2017-26'],
  subjectKinds: ['enterprise', 'construction-project'],
  columns: [
    COMMON.subjectKind,
    { ...COMMON.subjectName, hint: '施工单位的全称，或工程项目的名称。', example: '示例建筑工程有限公司' },
    COMMON.uscc,
    column('project', '工程项目', 'text', {
      required: true,
      hint: '施工许可证上的项目名称。',
      example: '示例花园二期',
      searchable: true,
    }),
    column('site', '工地位置', 'text', {
      required: true,
      hint: '街道和路口，让附近的人认得出。',
      example: '示例路与样本街交叉口西南角',
    }),
    { ...COMMON.reason, example: '土方作业未湿法施工，裸土未覆盖，经两次责令改正仍未整改。' },
    { ...COMMON.legalBasis, example: '《中华人民共和国大气污染防治法》第一百一十五条' },
    { ...COMMON.decisionNo, example: '示建扬〔2026〕3号' },
    { ...COMMON.authority, example: '区建设局' },
    COMMON.decidedOn,
    COMMON.listedOn,
    COMMON.listedUntil,
    COMMON.evidence,
  ],
  rules: {
    propose: { role: 'officer', departments: ['qu-jianshe', 'qu-nongwei'] },
    approve: { role: 'publisher', departments: null },
    listedForMonths: null,
    term: '方案没有规定列入期限，要由施工单位扬尘污染防治“黑名单”管理办法规定（由运营单位填写）。决定写明期限的按决定。',
    consequences: [
      { text: '禁止参加政府投资项目的招投标', source: '中原政〔2017〕2号 措施 26' },
      { text: '实施重点监管', source: '中原政〔2017〕2号 措施 26' },
      { text: '违法违规情况纳入建筑企业信用管理系统', source: '中原政〔2017〕2号 措施 26' },
    ],
  },
  reportCategory: 'construction-dust',
}
