import { Center, Loader } from '@mantine/core'
import { lazy, Suspense, type ReactNode } from 'react'
import { Redirect, Route, Switch } from 'wouter'

import { ChangePassword } from '../access/ChangePassword'
import { SessionProvider, useMay, useSessionQuery } from '../access/session'
import { SignIn } from '../access/SignIn'
import { Problem } from '../api/problem'
import { Boundary, ErrorNote } from './errors'
import { NotFound } from './NotFound'
import { isFor, places } from './places'
import { usePreferencesReady } from './preferences'
import { Shell } from './Shell'

const StudyList = lazy(() => import('../archive/StudyList'))
const Administration = lazy(() => import('./Administration'))
const Security = lazy(() => import('../access/Security'))
const Statistics = lazy(() => import('../insight/Statistics'))
const Timeline = lazy(() => import('../archive/timeline/Timeline'))
const ReadingList = lazy(() => import('../reporting/ReadingList'))
const Workplace = lazy(() => import('../reporting/Workplace'))
const Templates = lazy(() => import('../reporting/Templates'))
const Inbox = lazy(() => import('../reporting/Inbox'))
const Criticals = lazy(() => import('../reporting/Criticals'))
const WorkList = lazy(() => import('../department/work/WorkList'))
const Shift = lazy(() => import('../department/work/Shift'))
const Tasks = lazy(() => import('../department/work/Tasks'))
const Desk = lazy(() => import('../department/Desk'))
const Registration = lazy(() => import('../department/Registration'))
const ExamSheet = lazy(() => import('../department/ExamSheet'))
const Slip = lazy(() => import('../department/Slip'))
const Booking = lazy(() => import('../department/Booking'))
const Triage = lazy(() => import('../department/Triage'))
const Persons = lazy(() => import('../patients/Persons'))
const Green = lazy(() => import('../patients/Green'))
const Unmatched = lazy(() => import('../patients/Unmatched'))
const Viewer = lazy(() => import('../viewing/Viewer'))

export function Waiting() {
  return (
    <Center h="100%">
      <Loader size="sm" />
    </Center>
  )
}

/** The first page that is anything for whoever is signed in. */
function Home() {
  const may = useMay()
  const first = places.find((place) => isFor(place, may))
  return <Redirect to={first?.path ?? '/account'} replace />
}

export function App() {
  const query = useSessionQuery()
  if (query.isPending) return <Waiting />
  if (query.error instanceof Problem && query.error.status === 401) return <SignIn />
  if (query.isError) {
    return (
      <Center h="100%" p="xl">
        <ErrorNote error={query.error} again={() => void query.refetch()} />
      </Center>
    )
  }
  const session = query.data
  if (!session) return <SignIn />
  if (session.must_change_password) return <ChangePassword forced />
  return (
    <SessionProvider session={session}>
      <Shell>
        <Boundary>
          <Prepared>
          <Suspense fallback={<Waiting />}>
            <Switch>
              <Route path="/">
                <Home />
              </Route>
              <Route path="/studies" component={StudyList} />
              <Route path="/timeline/:study" component={Timeline} />
              <Route path="/view/:study" component={Viewer} />
              <Route path="/registration" component={Desk} />
              <Route path="/registration/new" component={Registration} />
              <Route path="/exams" component={Desk} />
              <Route path="/exams/:exam" component={ExamSheet} />
              <Route path="/slips/:exam" component={Slip} />
              <Route path="/booking/:exam?" component={Booking} />
              <Route path="/queue" component={Triage} />
              <Route path="/admin/*?" component={Administration} />
              <Route path="/reading" component={ReadingList} />
              <Route path="/reports/:report/:part?" component={Workplace} />
              <Route path="/templates" component={Templates} />
              <Route path="/inbox" component={Inbox} />
              <Route path="/criticals" component={Criticals} />
              <Route path="/work" component={WorkList} />
              <Route path="/work/shift" component={Shift} />
              <Route path="/tasks" component={Tasks} />
              <Route path="/persons/green" component={Green} />
              <Route path="/persons/unmatched" component={Unmatched} />
              <Route path="/persons/:person?" component={Persons} />
              <Route path="/statistics" component={Statistics} />
              <Route path="/account" component={Security} />
              <Route component={NotFound} />
            </Switch>
          </Suspense>
          </Prepared>
        </Boundary>
      </Shell>
    </SessionProvider>
  )
}

function Prepared({ children }: { children: ReactNode }) {
  return usePreferencesReady() ? children : <Waiting />
}
