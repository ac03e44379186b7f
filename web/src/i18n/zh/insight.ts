import type { Words } from '../en'
import type { insight as en } from '../en/insight'

export const insight: Words<typeof en> = {
  set: '指标组',
  sets: { volume: '工作量', waiting: '候检与设备', images: '图像', contrast: '对比剂与胶片', reports: '报告时效', quality: '报告质量', critical: '危急值与急诊' },
  group: '分组',
  by: '按',
  groups: {
    modality: '检查类型', station: '设备', procedure: '检查项目', 'body-part': '部位', site: '院区', department: '科室', source: '申请科室',
    requester: '申请医生', 'exam-class': '检查号类别', 'patient-class': '患者类别', priority: '优先级', result: '结果', 'cancel-reason': '取消原因', 'reject-reason': '废弃原因', author: '报告医生', reviewer: '审核医生', technologist: '技师',
    registrar: '登记员', day: '日期', month: '月份', weekday: '星期', hour: '时段',
  },
  period: '时间范围',
  periods: { today: '今天', week: '近 7 天', month: '本月', lastMonth: '上月', year: '近一年' },
  begin: '起始日期',
  end: '截止日期',
  save: '导出',
  none: '该时间范围内没有检查。',
  nothing: '（未填写）',
  whichExams: '构成该数字的检查',
  all: '全部',
  counted: '计入的',
  exam: { number: '检查号', at: '时间', state: '状态' },
  weekdays: { '1': '星期一', '2': '星期二', '3': '星期三', '4': '星期四', '5': '星期五', '6': '星期六', '7': '星期日' },
  values: { stat: '急诊', routine: '常规', positive: '阳性', negative: '阴性', indeterminate: '不确定', 'not-applicable': '不适用', O: '门诊', I: '住院', E: '急诊', P: '体检' },
  figures: {
    exams: '检查人次', persons: '患者数', workload: '工作量', fees: '费用', 'green-channel': '绿色通道',
    'booking-wait': '申请至预约时间', 'no-show': '未到率', cancelled: '取消率', 'hall-wait': '候检时间', duration: '检查时长',
    'inpatients-48h': '住院 48 小时完成率', transfer: '传输时间', verified: '自动核对通过率', unsent: '无图像检查', 'report-wait': '等待书写', 'report-writing': '书写时间',
    'report-review': '审核时间', 'report-total': '检查至终审', 'order-to-report': '申请至终审', timely: '报告及时率', overdue: '当前超时', positive: '阳性率', 'two-persons': '双签率', returned: '退回率',
    amended: '修改率', addenda: '补充率', 'critical-told': '危急值 10 分钟通报率', 'critical-acknowledged': '危急值确认率', 'critical-closed': '危急值闭环率', 'match-time': '匹配时间', 'green-open': '尚未匹配',
    'images-a': '甲片率', 'images-waste': '废片率', rejected: '图像废弃率', 'contrast-reactions': '对比剂不良反应率', extravasations: '外渗率', films: '胶片数',
    'identity-failed': '实名核验未通过率',
  },
}
