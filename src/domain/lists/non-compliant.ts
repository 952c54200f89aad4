import type { ListKind } from '../list.ts'
import { column, COMMON } from './columns.ts'

/** @source 中原政〔2017〕2号, measure 14: the plan orders publication and gives no term and no further effect. */
export const NON_COMPLIANT: ListKind = {
  id: 'non-compliant',
  name: '未达标企业',
  prefix: 'WD',
  description: '大气污染物排放没有达到要求、被环保部门查实的企业。公布出来，由大家监督。',
  hook: '公布未达标企业名单，接受社会监督',
  measureRefs: ['2017-14'],
  subjectKinds: ['enterprise'],
  columns: [
    COMMON.subjectKind,
    COMMON.subjectName,
    COMMON.uscc,
    column('site', '生产地点', 'text', { hint: '街道、门牌或厂区名称。', example: '示例路 1 号' }),
    column('exceeded', '未达标项目', 'text', {
      required: true,
      hint: '哪种污染物或哪项要求没有达到，有数值的写数值。',
      example: '颗粒物超过排放限值 0.6 倍',
    }),
    COMMON.reason,
    COMMON.legalBasis,
    COMMON.decisionNo,
    COMMON.authority,
    COMMON.decidedOn,
    COMMON.listedOn,
    COMMON.listedUntil,
    COMMON.evidence,
  ],
  rules: {
    propose: { role: 'officer', departments: ['qu-huanbao'] },
    approve: { role: 'publisher', departments: null },
    listedForMonths: null,
    term: '方案没有规定公布期限。决定写明期限的按决定，没有写明的，整改达标并经批准后移出。',
    consequences: [{ text: '向社会公布，接受监督', source: '中原政〔2017〕2号 措施 14' }],
  },
  reportCategory: 'industrial-emission',
}
