import type { DepartmentKind } from '../domain/plan.ts'

/** Headings of the groups of departments. */
export const KIND_LABELS: Readonly<Record<DepartmentKind, string>> = {
  bureau: '区政府工作部门',
  office: '领导小组办公室和专门机构',
  police: '公安和交警',
  subdistrict: '街道办事处',
  authority: '派出机构和管委会',
}
