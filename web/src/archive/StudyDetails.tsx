import { Alert, Anchor, Button, Group, Loader, Menu, Stack, Text } from '@mantine/core'
import { IconDownload, IconDots, IconEye, IconFileZip, IconMovie, IconPhoto, IconTimeline } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { ageAt, clock, day, madeBy, names, sex } from '../app/format'
import { ErrorNote } from '../app/errors'
import { PatientName } from './columns'
import { LenientKinds } from './LenientKinds'
import { RejectStudy } from './RejectStudy'
import { SendStudy } from './SendStudy'
import { ShareStudy } from './ShareStudy'
import classes from './StudyList.module.css'

const PICTURES = [
  ['png', 'png', IconPhoto],
  ['jpeg', 'jpeg', IconPhoto],
  ['mp4', 'mp4', IconMovie],
] as const

type Series = components['schemas']['StudyDetails']['content'][number]

interface Props {
  study: string
  /** Which, where one number stands for studies of several patients. */
  row?: number
  /** The study is another one now, or gone. */
  changed: () => void
  /** Whether the patient's timeline is offered; not where this is a part of it. */
  timeline?: boolean
}

/** What is in a study, beside the list. */
export function StudyDetails({ study, row, changed, timeline = true }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const [doing, setDoing] = useState<'send' | 'share' | 'reject' | null>(null)
  const [lenient, setLenient] = useState(false)
  const client = useQueryClient()
  const details = useQuery({
    queryKey: row ? ['study', study, row] : ['study', study],
    queryFn: async () => {
      const found = await data(api.GET('/studies/{study_uid}', { params: { path: { study_uid: study }, query: { row } } }))
      // what the viewer asks for
      if (row && !found.other_patients) client.setQueryData(['study', study], found)
      return found
    },
  })
  const priors = useQuery({
    queryKey: ['priors', study, row],
    queryFn: () => data(api.GET('/studies/{study_uid}/priors', { params: { path: { study_uid: study }, query: { limit: 20, row } } })),
    enabled: timeline,
  })

  if (details.isPending) return <Loader size="xs" />
  if (details.isError) return <ErrorNote error={details.error} again={() => void details.refetch()} />
  const found = details.data!
  const address = found.other_patients > 0 ? `/view/${study}?row=${found.row}` : `/view/${study}`
  // what is done to the number would be done to all of them
  const shared = found.other_patients > 0
  const [first, second] = names(found.patient)
  const title = (
    <>
      <PatientName patient={found.patient} /> · {found.description} · {day(found.date)}
    </>
  )

  return (
    <Stack gap="md">
      <div>
        <Text fw={650} size="lg" lh={1.25}>
          {first || found.patient.id}
        </Text>
        {second && (
          <Text size="sm" c="dimmed">
            {second}
          </Text>
        )}
        <Text size="xs" c="dimmed" mt={4}>
          {[
            found.patient.id,
            sex(found.patient.sex),
            ageAt(found.age, found.patient.birth_date, found.date),
            found.patient.birth_date && t('archive.study.born', { date: day(found.patient.birth_date) }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </Text>
      </div>
      <div>
        <Text size="sm" fw={550}>
          {found.description || t('archive.study.noDescription')}
        </Text>
        <Text size="xs" c="dimmed">
          {[madeBy(found.modalities), `${day(found.date)} ${clock(found.time)}`, found.accession_number].filter(Boolean).join(' · ')}
        </Text>
      </div>
      {found.sensitive && (
        <Alert color="yellow" variant="light" p="xs">
          {t('archive.study.sensitive')}
        </Alert>
      )}
      {found.other_patients > 0 && (
        <Alert color="orange" variant="light" p="xs">
          {t('archive.study.otherPatients')}
          {found.under
            .filter((one) => one.row !== found.row)
            .map((one) => (
              <div key={one.row}>
                <PatientName patient={one.patient} /> {[one.patient.id, day(one.patient.birth_date)].filter(Boolean).join(' · ')}
              </div>
            ))}
        </Alert>
      )}
      <Group gap="xs">
        {may('view') && (
          <Button component={Link} href={address} leftSection={<IconEye size={15} />} title={t('archive.study.openHelp')}>
            {t('archive.study.open')}
          </Button>
        )}
        {timeline && (
          <Button
            component={Link}
            href={`/timeline/${study}`}
            variant="default"
            leftSection={<IconTimeline size={15} />}
            title={t('archive.timeline.help')}
          >
            {t('archive.timeline.title')}
          </Button>
        )}
        {may('export') && (
          <Menu position="bottom-start">
            <Menu.Target>
              <Button variant="default" leftSection={<IconDownload size={15} />} disabled={shared}>
                {t('archive.study.download')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                component="a"
                href={`/dicom-web/studies/${study}?accept=application/zip`}
                download
                leftSection={<IconFileZip size={15} />}
              >
                {t('archive.study.zip')}
              </Menu.Item>
              <Menu.Divider />
              <Menu.Label>{t('archive.study.pictures')}</Menu.Label>
              {PICTURES.map(([form, word, Icon]) => (
                <Menu.Item
                  key={form}
                  component="a"
                  href={`/api/studies/${study}/pictures?form=${form}`}
                  download
                  leftSection={<Icon size={15} />}
                >
                  {t(`archive.study.${word}`)}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
        {(may('send') || may('share') || may('reject')) && (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" px={8} aria-label={t('app.actions.more')} disabled={shared}>
                <IconDots size={15} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {may('send') && <Menu.Item onClick={() => setDoing('send')}>{t('archive.study.send')}</Menu.Item>}
              {may('share') && <Menu.Item onClick={() => setDoing('share')}>{t('archive.study.share')}</Menu.Item>}
              {may('reject') && (
                <Menu.Item color="red" onClick={() => setDoing('reject')}>
                  {t('archive.study.reject')}
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
      <Stack gap={2}>
        <Text size="xs" fw={600} c="dimmed">
          {t('archive.study.series')} ({found.content.length})
        </Text>
        {found.content.map((one) => (
          <SeriesLine key={one.series_uid} study={study} series={one} apart={shared} href={`${address}${address.includes('?') ? '&' : '?'}series=${one.series_uid}`} />
        ))}
      </Stack>
      {timeline && <Stack gap={4}>
        <Text size="xs" fw={600} c="dimmed">
          {t('archive.study.priors')}
        </Text>
        {priors.data?.studies.map((prior) => (
          <Anchor key={prior.study_uid} component={Link} href={`${address}${address.includes('?') ? '&' : '?'}with=${prior.study_uid}`} size="sm" underline="never">
            <Group gap="xs" wrap="nowrap">
              <Text size="xs" c="dimmed" w={76} style={{ flex: 'none' }}>
                {day(prior.date)}
              </Text>
              <span className={classes.modality} style={{ flex: 'none', width: 44 }}>
                {madeBy(prior.modalities)}
              </span>
              <Text size="sm" truncate c="var(--mantine-color-text)">
                {prior.description || t('archive.study.noDescription')}
              </Text>
              {!prior.earlier && (
                <Text size="xs" c="dimmed" style={{ flex: 'none' }}>
                  {t('archive.study.later')}
                </Text>
              )}
            </Group>
          </Anchor>
        ))}
        {priors.isSuccess && priors.data!.studies.length === 0 && (
          <Text size="xs" c="dimmed">
            {t('archive.study.noPriors')}
          </Text>
        )}
      </Stack>}
      {may('flags') && (
        <div>
          <Button variant="subtle" size="compact-xs" ml={-8} aria-expanded={lenient} onClick={() => setLenient(!lenient)}>
            {t('admin.sections.lenient')}
          </Button>
          {lenient && <LenientKinds study={study} row={found.row} />}
        </div>
      )}
      {doing === 'send' && <SendStudy study={study} title={title} close={() => setDoing(null)} />}
      {doing === 'share' && <ShareStudy study={study} title={title} close={() => setDoing(null)} />}
      {doing === 'reject' && (
        <RejectStudy
          study={study}
          title={title}
          close={(done) => {
            setDoing(null)
            if (done) changed()
          }}
        />
      )}
    </Stack>
  )
}

/** `apart`: another patient's images may have the number of the series, too. */
function SeriesLine({ study, series, apart, href }: { study: string; series: Series; apart: boolean; href: string }) {
  const { t } = useTranslation()
  const images = series.images > 0
  return (
    <Link className={classes.seriesRow} href={href}>
      <img
        className={classes.thumbnail}
        src={`/dicom-web/studies/${study}/series/${series.series_uid}${apart ? `/instances/${series.thumbnail.sop_instance_uid}` : ''}/thumbnail?viewport=112,112`}
        alt=""
        loading="lazy"
        width={56}
        height={56}
      />
      <div style={{ minWidth: 0 }}>
        <Text size="sm" truncate>
          {series.description || series.protocol || t('archive.study.noDescription')}
        </Text>
        <Text size="xs" c="dimmed" truncate>
          <span className={classes.modality}>{series.modality}</span>{' '}
          {[
            series.number && `#${series.number}`,
            images
              ? t('archive.study.images', { count: series.instances })
              : t('archive.study.objects', { count: series.instances }),
            series.body_part,
          ]
            .filter(Boolean)
            .join(' · ')}
        </Text>
      </div>
    </Link>
  )
}
