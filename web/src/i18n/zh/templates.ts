import type { Words } from '../en'
import type { templates as english } from '../en/templates'

export const templates: Words<typeof english> = {
  title: '模板与常用语',
  phrases: '常用语',
  templates: '模板',
  add: '新建',
  none: '还没有内容。',
  code: '代码',
  name: '名称',
  nameZh: '中文名称',
  nameEn: '英文名称',
  abbreviation: '缩写',
  text: '文本',
  section: '栏目',
  anySection: '光标所在处',
  owner: '归属',
  owners: { user: '个人', department: '科室', hospital: '全院' },
  modality: '检查类型',
  bodyPart: '部位',
  changed: '修改时间',
  builtIn: '系统自带',
  required: '必填栏目',
  keep: '保存',
  remove: '停用',
  removeHelp: '停用后不再提供，已使用该模板的报告不受影响。',
}
