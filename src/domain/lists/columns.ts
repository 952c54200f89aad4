import type { ColumnType, ListColumn } from '../list.ts'

type Partly = Partial<Omit<ListColumn, 'key' | 'label' | 'type'>>

/** A column with the usual settings: optional, at most 200 characters, not searched by name. */
export function column(key: string, label: string, type: ColumnType, settings: Partly = {}): ListColumn {
  return {
    key,
    label,
    type,
    required: false,
    maxLength: 200,
    hint: '',
    example: '',
    searchable: false,
    ...settings,
  }
}

/** The columns that every kind has, to be put in order by the kind. */
export const COMMON = {
  subjectKind: column('subjectKind', '主体类型', 'subject-kind', {
    required: true,
    maxLength: 10,
    hint: '企业或工程项目。',
    example: '企业',
  }),
  subjectName: column('subjectName', '主体名称', 'text', {
    required: true,
    maxLength: 100,
    hint: '营业执照或决定书上的全称。个体工商户写字号，不写个人姓名。',
    example: '示例建材有限公司',
    searchable: true,
  }),
  uscc: column('uscc', '统一社会信用代码', 'uscc', {
    maxLength: 30,
    hint: '18 位，会核对校验位。没有的留空。',
    example: '91350100M000100Y43',
  }),
  reason: column('reason', '违法事实', 'long-text', {
    required: true,
    maxLength: 1000,
    hint: '何时何地做了什么，一两句话。不写个人信息。',
    example: '二〇二六年十月检查时，破碎工段除尘设施停用，粉尘直接外排。',
  }),
  legalBasis: column('legalBasis', '依据', 'legal-basis', {
    required: true,
    maxLength: 500,
    hint: '法律或文件名称和条款，多条用分号隔开。',
    example: '《中华人民共和国大气污染防治法》第九十九条',
  }),
  decisionNo: column('decisionNo', '决定文号', 'decision-no', {
    maxLength: 60,
    hint: '年份的括号写成什么样都可以，会统一成〔〕。',
    example: '示环罚〔2026〕12号',
  }),
  authority: column('authority', '决定机关', 'authority', {
    required: true,
    maxLength: 60,
    hint: '方案中的部门写简称，其他机关写全称。',
    example: '区环保局',
  }),
  decidedOn: column('decidedOn', '决定日期', 'day', {
    maxLength: 20,
    hint: '决定书上的日期。',
    example: '2026-11-02',
  }),
  listedOn: column('listedOn', '列入日期', 'day', {
    maxLength: 20,
    hint: '留空则以批准当天为准，不能晚于今天。',
    example: '2026-11-10',
  }),
  listedUntil: column('listedUntil', '公布截止日', 'day', {
    maxLength: 20,
    hint: '决定里写了期限的填写；没有期限的留空。',
    example: '2027-11-09',
  }),
  evidence: column('evidence', '证据说明', 'long-text', {
    maxLength: 500,
    hint: '凭什么认定，如监测报告编号、检查记录。',
    example: '现场检查笔录及监测报告',
  }),
} as const
