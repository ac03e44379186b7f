/** Why a device does not answer, in the reader's language: the server says it in English (devices/checks.py, net/). */
import { language } from '../i18n'

const CHINESE: [RegExp, string][] = [
  [/^no connection to (.+): nothing listens there$/, '$1 没有程序在监听'],
  [/^no connection to (.+) within (.+) s$/, '$2 秒内未能连接 $1'],
  [/^no connection to (.+): no route.*$/, '网络无法到达 $1'],
  [/^no connection to (.+): (.+)$/, '无法连接 $1:$2'],
  [/^the name (.+) is not known$/, '无法解析主机名 $1'],
  [/^TLS with (.+) failed: (.+)$/, '与 $1 的 TLS 连接失败:$2'],
  [/^association rejected(.*): calling AE title not recognised$/, '连接被拒绝:对方不认识我方的 AE 标题'],
  [/^association rejected(.*): called AE title not recognised$/, '连接被拒绝:对方的 AE 标题与登记的不一致'],
  [/^association rejected(.*): (.+)$/, '连接被拒绝:$2'],
  [/^the other side did not answer the association request in time$/, '对方未在规定时间内响应连接请求'],
  [/^the other side did not answer in time$/, '对方未在规定时间内响应'],
  [/^the connection is closed$/, '连接已被对方关闭'],
  [/^it takes the association but does not offer Verification$/, '对方接受连接,但不支持验证服务(C-ECHO)'],
  [/^it answers the echo with (.+)$/, '对 C-ECHO 的应答为:$1'],
  [/^it is to be called over TLS, for which nothing is set up here$/, '该设备要求 TLS,但本服务器未配置 TLS'],
  [/^The device (.+) has no host and port to be called at\.$/, '设备 $1 没有登记主机和端口'],
  [/^There are no such objects in the archive\.$/, '归档中没有这些对象'],
  [/^(\d+) of (\d+) were not taken: (.+)$/, '$2 个对象中有 $1 个未被接收:$3'],
  [/^unexpected: (.+)$/, '意外错误:$1'],
]

export function why(reason: string): string {
  if (language() !== 'zh') return reason.charAt(0).toUpperCase() + reason.slice(1)
  for (const [english, chinese] of CHINESE) {
    const found = english.exec(reason)
    if (found) return chinese.replace(/\$(\d)/g, (_, number: string) => found[Number(number)] ?? '')
  }
  return reason
}
