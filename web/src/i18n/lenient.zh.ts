/**
 * What the server notes of values that are not as the standard asks, kept in English like reasons.zh.ts.
 * tests/app/test_reason_words.py holds this against the source.
 */
export const lenient: Record<string, string> = {
  // values that are searched (archive/)
  'is not a date; it cannot be searched by date': '不是有效日期，无法按日期检索',
  'is not a time; it cannot be searched by time': '不是有效时间，无法按时间检索',
  'is longer than {length} characters; the search sees its beginning': '超过 {length} 个字符，只能检索其开头部分',
  'is not a whole number': '不是整数',
  'is out of range': '超出取值范围',
  'is absent: the object is filed under its study alone': '缺失：对象只能按其检查归档',
  'the data set ends before its last element does': '数据集在最后一个元素结束前中断',
  'its length reaches past the end of the data set: pixels are missing': '长度超出数据集末尾：缺少像素数据',
  'it is cut short: pixels are missing': '数据被截断：缺少像素数据',
  'its end is missing: pixels may be missing': '缺少结尾：可能缺少像素数据',
  // the data set (dicom/)
  'a number that is too large': '数值过大',
  'a value that is no number': '含有不是数字的值',
  'not a whole number of values': '长度不是数值大小的整数倍',
  'left out of the metadata ({type})': '无法读取，未列入元数据（{type}）',
  'nested too deep for the metadata': '嵌套过深，未列入元数据',
  'the deflated data are damaged': '压缩数据已损坏',
  'the byte order is not that of the transfer syntax': '字节序与传输语法不符',
  'explicit and implicit VR are not as the transfer syntax says': 'VR 的显式或隐式写法与传输语法不符',
  'the end of this sequence was not found': '找不到该序列的结尾',
  'its length reaches past the end of the data set': '长度超出数据集末尾',
  'the last bytes are no element': '末尾的字节不构成元素',
  'a sequence that holds something else than items': '序列中含有条目以外的内容',
  'an unknown escape sequence': '含有未知的转义序列',
  'bytes of a character set that no escape sequence announced': '含有未经转义序列声明的字符集的字节',
  'bytes that are not in the declared character set': '含有不属于所声明字符集的字节',
}
