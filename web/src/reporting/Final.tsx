import { Alert } from '@mantine/core'
import { IconAlertTriangle, IconShieldCheck } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

import type { components } from '../api/schema'
import { moment } from '../app/format'
import { EMPTY, nameOf, SECTIONS, type Content, type Report } from './model'
import { Links, Pictures } from './Pictures'
import classes from './Workplace.module.css'

type Signature = components['schemas']['ReportSignature']

interface Props {
  final: { content: components['schemas']['ReportContent']; addenda: components['schemas']['ReportAddendum'][]; number?: number }
  people: Report['people']
  signatures: Signature[]
}

/** A report to be read. */
export function Final({ final, people, signatures }: Props) {
  const { t } = useTranslation()
  const counting = signatures.filter((one) => one.revision === final.number || final.addenda.some((each) => each.number === one.revision))
  return (
    <>
      <Texts content={final.content} />
      {final.addenda.map((one) => (
        <div key={one.number} className={classes.prior}>
          <div className={classes.label}>
            {t('reporting.addendum')} · {nameOf(people, one.by)} · {moment(one.at)}
          </div>
          <Texts content={one.content} />
        </div>
      ))}
      {counting.map((one) =>
        one.holds ? (
          <div key={`${one.revision}-${one.role}`} className={classes.dim}>
            <IconShieldCheck size={13} style={{ verticalAlign: '-2px', marginRight: 4 }} />
            {t(`reporting.signedAs.${one.role}`, { name: one.name || nameOf(people, one.account), time: moment(one.signed_at) })}
          </div>
        ) : (
          <Alert key={`${one.revision}-${one.role}`} color="red" p="xs" mt="xs" role="alert" icon={<IconAlertTriangle size={16} />}>
            {t('reporting.signatureBroken', { name: one.name })} {t(`reporting.broken.${one.why}`, { defaultValue: '' })}
          </Alert>
        ),
      )}
    </>
  )
}

function Texts({ content: given }: { content: components['schemas']['ReportContent'] }) {
  const { t } = useTranslation()
  const content: Content = { ...EMPTY, ...given }
  return (
    <>
      {SECTIONS.filter((section) => content[section].trim()).map((section) => (
        <div key={section} className={classes.section}>
          <div className={classes.label}>{t(`reporting.sections.${section}`)}</div>
          <div className={classes.text}>{content[section]}</div>
        </div>
      ))}
      {content.result && (
        <div className={classes.section}>
          <div className={classes.label}>{t('reporting.result')}</div>
          {t(`reporting.results.${content.result}`)}
        </div>
      )}
      <Links links={content.links} />
      <Pictures images={content.images} />
    </>
  )
}
