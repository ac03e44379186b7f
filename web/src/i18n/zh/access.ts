import type { Words } from '../en'
import type { access as english } from '../en/access'

export const access: Words<typeof english> = {
  demonstration: {
    title: '演示系统',
    help: '供试用的医院，其中没有真实的人。所有账号的密码都是“{{password}}”。',
    banner: '演示系统：此处没有真实的患者，不得用于诊疗。',
  },
  signIn: {
    title: '登录',
    name: '账户名',
    password: '密码',
    code: '第二验证码',
    codeHelp: '验证器中的六位数字，或一个恢复码。',
    submit: '登录',
    oidc: '使用 {{name}} 登录',
    wrong: '账户名或密码不正确。',
    wrongCode: '验证码不正确或已被使用。',
    locked: '密码错误次数过多，该账户暂时锁定。',
    tooMany: '尝试次数过多，请稍候再试。',
    noAccount: '您的身份已确认，但此处尚未授予您任何权限。',
    refused: '登录未成功。请重新开始，或使用密码登录。',
    again: '会话已结束，请重新登录后继续。',
  },
  password: {
    title: '修改密码',
    first: '请先设置您自己的密码，然后继续。',
    current: '当前密码',
    new: '新密码',
    repeat: '再次输入新密码',
    differ: '两次输入不一致。',
    changed: '密码已修改。',
    keepTokens_one: '保留我的 {{count}} 个 API 令牌',
    keepTokens_other: '保留我的 {{count}} 个 API 令牌',
    keepTokensText: '不保留时，使用这些令牌的程序将无法再访问。仅在确信旧密码无人知晓时保留。',
  },
}
