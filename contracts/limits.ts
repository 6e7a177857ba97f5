/**
 * Every limit and clock of Fixpoint, each with its unit and its reason. A name ends in its unit:
 * `Ms`, `Bytes`, `Max` (a count). Nothing here may be exceeded silently: beyond a limit comes a
 * refusal that names it. No zod here, because workflows import this file.
 */
export const limits = {
  /** A webhook body. 300 plain Alertmanager alerts are 140 kB; 1 MiB would be met at 2,200. */
  webhookBodyBytes: 16 * 1024 * 1024,
  /** Alerts of one body: one atomic Redis script handles them, which must stay below 100 ms. */
  webhookAlertsMax: 10_000,
  /** A task submit: 20,000 signed targets of about 170 bytes, plus one script and arguments per target. */
  taskBodyBytes: 8 * 1024 * 1024,
  /** Any other request body. */
  requestBodyBytes: 256 * 1024,
  /** One label or annotation value. Alertmanager's own values are far smaller; 16 KiB is a note. */
  labelValueBytes: 16 * 1024,
  /** One label name, in bytes of UTF-8. */
  labelNameBytes: 1024,
  /** Labels of one alert. */
  labelsMax: 128,
  /** Entries of the intake stream, beyond which a webhook is answered 503 (rule R8). */
  intakeEntriesMax: 500_000,
  /** Bytes of these entries as they are kept, beyond which a webhook is answered 503 (rule R8). */
  intakeBytesMax: 256 * 1024 * 1024,
  /** How long a delivery id is remembered (rule R1): a later repeat of a firing is evidence. */
  deliverySeenMs: 600_000,
  /** How long a resolved fingerprint is remembered (design 5.1). */
  tombstoneMs: 86_400_000,
  /** How long the answer to "what became of this delivery" is kept. */
  deliveryRecordMs: 86_400_000,
  /** Recent deliveries that `alert ls` can show. */
  deliveryRecordsMax: 5_000,
  /** Quarantined entries kept for a look. */
  quarantineMax: 10_000,
  /** How much of a quarantined value is shown. */
  quarantineValueBytes: 256,
  /** Alerts in one mailbox signal (rule R14). */
  signalAlertsMax: 250,
  /** Bytes of one mailbox signal (rule R14). */
  signalBytes: 64 * 1024,
  /** How long the alerts after a mailbox's first are gathered (design 5.10). */
  signalFlushMs: 200,
  /** Under load, which is a signal of this many alerts, they are gathered longer (rule R14). */
  signalBusyAlerts: 50,
  signalBusyFlushMs: 1_000,
  /** Mailboxes opened a second, by all dispatchers together, and as many at once (rule R14). */
  mailboxStartsPerSecond: 20,
  /** Hosts that may alert at once where a policy says nothing, or a tenth of those enrolled (rule R14). */
  massHostsMin: 20,
  massHostsPercent: 10,
  /** Alerts that a remediation names which tells of a storm. */
  stormAlertsMax: 20,
  /** Signals after which a mailbox continues as new (names 3). */
  mailboxSignalsMax: 1_000,
  /** Events after which a mailbox continues as new (names 3). */
  mailboxEventsMax: 2_000,
  /** Episodes a mailbox remembers, oldest resolved first out (rule R2). */
  mailboxEpisodesMax: 2_000,
  /** How long a maintenance window stays open; what is to rest for longer is a policy to take out. */
  maintenanceWindowMs: 7 * 86_400_000,
  /** Batches after which a remediation continues as new (design 9). */
  remediationBatchesMax: 100,
  /** How long people are asked to approve a repair (design 5.10), and the longest a policy may say. */
  approvalExpiresMs: 86_400_000,
  approvalLongestMs: 30 * 86_400_000,
  /** Approvers that a policy may want: more than a team has awake at night. */
  approversMax: 5,
  /** An operator's name, in characters. */
  operatorNameMax: 64,
  /** Targets of one remediation (design 3). */
  targetsMax: 20_000,
  /**
   * Batches of one step, BlueKing's own limit (job-contract 5.4): 9,000 events, and nobody watches
   * more of them.
   */
  rolloutBatchesMax: 500,
  /** Hosts of a batch where a runbook says nothing (design 8 counts events per 500). */
  batchHostsDefault: 500,
  /** Hosts of one batch, which is one task and one submit: its targets alone are 335 KB then. */
  batchHostsMax: 5_000,
  /**
   * Bytes of one submit as JSON: Temporal refuses a payload of 2 MiB, and the batch could not even
   * end as failed. What is over it is refused when it is planned.
   */
  submitBytesMax: 1_500_000,
  /**
   * Bytes of what a long rollout carries into a fresh history, frozen input included, when it begins:
   * for the same reason, with room for a letter of 20,000 hosts in each of 20 steps.
   */
  carriedBytesMax: 1_500_000,
  /** A batch expression: `rolloutBatchesMax` parts of up to seven characters. */
  batchExpressionBytes: 4_000,
  /** Reasons for which an admission was refused that travel in its answer; hosts have theirs as letters. */
  refusalsMax: 10,
  /** Held hosts that one step of a rebuild takes in: Redis answers nobody else meanwhile. */
  holdsInsertedMax: 5_000,
  /** A script's text; it travels in the remediation's frozen input. */
  scriptBytes: 64 * 1024,
  /** Script text of one runbook in all: an input stays far below Temporal's 512 KB warning. */
  runbookScriptBytes: 192 * 1024,
  /** Arguments of one script, and bytes of one argument or environment value. */
  scriptArgsMax: 64,
  scriptValueBytes: 32 * 1024,
  /** JSON given to a script on stdin. */
  scriptStdinBytes: 256 * 1024,
  /** What is read of a page that proves a repair: an answer of a health check has a few hundred bytes. */
  probePageBytes: 64 * 1024,
  /** One page; 500 hosts that do not answer take `500 / probePagesAtOnce` times as long. */
  probePageMs: 60_000,
  /** Pages that one activity asks for at once: no host of a fleet is asked twice, so it is sockets that count. */
  probePagesAtOnce: 50,
  /** Hosts whose failure a proof by pages tells in words; each has its letter. */
  probeWordsMax: 5,
  /** Steps of a runbook. */
  stepsMax: 20,
  /** Attempts of a step, for its failed hosts only. */
  attemptsMax: 10,
  /** Output kept of one job on its host, stdout and stderr together; what is over it is cut (rule X11). */
  outputBytes: 5 * 1024 * 1024,
  /**
   * First bytes of each stream that Redis keeps: 16 KiB of both (rule X11). Fixed halves, so that a
   * flood on one stream never costs the other its beginning.
   */
  outputHeadBytes: 8 * 1024,
  /**
   * Last bytes that Redis keeps of both streams together (rule X11): each may have half of it and
   * what the other leaves.
   */
  outputTailBytes: 48 * 1024,
  /** How long Redis keeps it after its last piece (rule X11); the host keeps all of it for longer. */
  outputKeptMs: 86_400_000,
  /** Bytes of one answer from a host: on a link of 1 Mbit/s a ping behind it waits 2 s. */
  outputGetBytes: 256 * 1024,
  /** Questions for output under way with one agent; each is answered from its disk in order. */
  outputGetsMax: 4,
  /** Reads that a gateway asks of other ones at once; each holds one answer in memory. */
  outputForwardsMax: 64,
  /** How far the time of one gateway's question may be from the other's clock, either way. */
  peerRequestMs: 30_000,
  /** Bytes of one output read. */
  outputReadBytes: 1024 * 1024,
  /** Bytes of output in one binary frame. */
  outputFrameBytes: 64 * 1024,
  /** Bytes of one agent frame, either way: a job with its script and stdin, escaped as JSON. */
  frameBytes: 2 * 1024 * 1024,
  /** Signing keys, and authorities, of one trust bundle: two while one is replaced, and some room. */
  trustAnchorsMax: 8,
  /** One key or certificate in PEM; a P-256 certificate has about 700 bytes. */
  trustPemBytes: 16 * 1024,
  /** A whole trust bundle in base64. */
  trustBytes: 512 * 1024,
  /** Bytes unsent on one agent's link; beyond it the slow agent is cut off. */
  linkBacklogBytes: 16 * 1024 * 1024,
  /** Bytes of one agent's frames that wait to be handled; beyond it its link is not read. */
  sessionWaitingBytes: 8 * 1024 * 1024,
  /** The same of all agents of a gateway together; beyond it each may have one frame waiting. */
  gatewayWaitingBytes: 256 * 1024 * 1024,
  /** Jobs that one step marks and writes, then others have their turn: 10,000 writes block 0.3 s. */
  sliceJobsMax: 256,
  /** Targets of a submit that are checked, or digested, at one go: some 5 ms. */
  sliceTargetsMax: 1_024,
  /** Frames a gateway writes in one turn of the event loop, of those that may wait: 32 take some 3 ms. */
  turnPiecesMin: 32,
  /**
   * Jobs written by a gateway and not yet answered, beyond which a task that has some waits: their
   * answers take the event loop some 50 ms. At 100 ms from gateway to agent it is 5,000 jobs a second.
   */
  unheardJobsMax: 512,
  /** How long a job that is not answered counts: 20,000 deaf agents are written to in 40 s, within `notAfter`. */
  unheardMs: 1_000,
  /** Tasks whose jobs are being written or wait for it; what is beyond is found at the next look. */
  tasksWritingMax: 10_000,
  /** Bodies of tasks that a gateway keeps to write jobs from: eight of the largest. Others are read again. */
  taskBodiesBytes: 64 * 1024 * 1024,
  /** Results that one pong tells to be stored, in 6 KB: 32 jobs a second between two pings. Of more it is told at once. */
  storedTellingMax: 128,
  /** Texts of unknown jobs that one agent is asked for at once; the others are asked for later. */
  textsAskedMax: 1_000,
  /** Of those others, how many are remembered for each agent; the rest it tells of on its next link. */
  textsWaitingMax: 10_000,
  /** How far a gateway's clock may be from Redis's before its log says so; synchronised ones are within 0.1 s. */
  clockAheadMs: 1_000,
  /** Sessions opening at once that have not said hello yet. */
  handshakesMax: 1_024,
  /** Connections between TLS's first word and an open link: two seconds of what a gateway can make, so that each is in time. */
  handshakesAtOnce: 512,
  /** How long a slow one counts among them: hosts far away, or busy, keep nobody else waiting. */
  handshakePatienceMs: 2_000,
  /** Connections that wait for their turn, of which nothing was read: the agents of a dead gateway. Others are ended at once. */
  handshakesWaitingMax: 4_096,
  /** The longest wait for it: an agent gives up after 20 s, and a handshake takes up to 5 s. */
  handshakeWaitMs: 14_000,
  /** A certificate request with its token: a few hundred bytes of each. */
  enrolBodyBytes: 16 * 1024,
  /** Enrolments and renewals a second: a third of what one core signs (175/s, security 4). */
  enrolmentsPerSecond: 50,
  /** The same from one address, and how many may come at once: a rack behind one address. */
  enrolmentsPerSecondOfOne: 10,
  enrolmentsAtOnceOfOne: 60,
  /** A refused one counts as so many: who guesses tokens gets one try a second. */
  enrolmentRefusalWeight: 10,
  /** Hosts one token enrols, and how long it may wait for them. */
  agentTokenUsesMax: 10_000,
  agentTokenMs: 7 * 86_400_000,
  /** Labels of an agent: they travel in its certificate, whose handshake must stay small. */
  agentLabelsMax: 32,
  agentLabelValueBytes: 253,
  /** An issue register beyond this is made shorter: some 13,000 renewals, read in a quarter of a second. */
  registerBytes: 4 * 1024 * 1024,
  /** Certificates are valid from this long ago, so that a slow clock takes them (rule R10). */
  certificateBackdatedMs: 86_400_000,
  /** A host's clock that is further off is told to operators (rule R10). */
  clockOffsetMs: 5_000,
  /** Breakers open at once: they travel in the control state too. */
  breakersMax: 1_000,
  /** How long one that is opened by hand keeps everything from starting, where nobody says. */
  breakerOpenMs: 1_800_000,
  /** The longest that may be asked for: a year; what is to stay is stopped, or its policy removed. */
  breakerOpenMsMax: 365 * 86_400_000,
  /** Agents locked at once: all travel in the control state, which gateways read twice a second. */
  lockedAgentsMax: 1_000,
  /** Policies and fault domains stopped at once: who stops more than these means everything. */
  stopsMax: 100,
  /**
   * Updates of the control workflow whose ids its next run knows: as many as a run takes, so that a
   * request may be sent again for at least as long as it takes to make that many others.
   */
  controlUpdatesKept: 500,
  /** How long whoever throws the kill switch waits until gateways can read it: far above a write, below a call's 10 s. */
  controlCachedMs: 6_000,
  /** Jobs an agent runs side by side. */
  agentJobsMax: 32,
  /** Failed hosts named in a report; all others are counted and have their letter. */
  reportFailuresMax: 20,
  /** How long a finished task is kept in Redis for polls, reads and repeated submits. */
  taskKeptMs: 7 * 86_400_000,
  /**
   * How long after a job's end by its own clock a host still takes a gateway's word for the time. A
   * host's clock may be wrong by minutes (rule R10); a gateway that lies must not replay yesterday.
   */
  hostClockLeewayMs: 3_600_000,
  /** How long an agent keeps journal files and job directories (rule R10). */
  journalKeptMs: 7 * 86_400_000,
  /** Submits, polls and cancels a second, of all workers together: what one gateway takes easily. */
  gatewayActivitiesPerSecond: 200,
  /** Workflow runs a worker keeps in memory; about 1 MB each (performance 6.4). */
  cachedWorkflowsMax: 400,
  /** A listing's default and largest page. */
  pageDefault: 100,
  pageMax: 1_000,
  /** Days of normalised alerts kept for replay, and bytes of one day's file. */
  alertFileDays: 90,
  alertFileBytes: 1024 * 1024 * 1024,
} as const;

/**
 * The clocks of design 5.10 in milliseconds, with their defaults. All are configuration
 * (`clocks:` in `fixpoint.yaml`), which tests shorten; a running repair keeps the ones it started
 * with.
 */
export const defaultClocks = {
  /** How long a plan is tried; longer than the outages that a repair outlives (rule R8). */
  planMs: 1_800_000,
  /** One try of the submit activity. */
  submitTryMs: 10_000,
  /** An agent's right to start jobs, from its own ping (invariant 4). */
  startLeaseMs: 10_000,
  /** Ping interval, ± 10 %: one lost ping leaves a valid lease. */
  pingMs: 4_000,
  /** How long a dispatch that meets no lease waits for one before it is refused. */
  leaseWaitMs: 2_000,
  /** No ping for this long: the agent is late. */
  agentLateMs: 15_000,
  /** Nothing heard on a link for this long: it is half open, and ended; below the 30 s that are promised. */
  linkSilentMs: 25_000,
  /** No ping for this long: the agent is offline. */
  agentOfflineMs: 60_000,
  /** Between two signs of life of a gateway, and its looks at what it was not woken for. */
  gatewayLookMs: 5_000,
  /** A gateway without a sign of life for this long is dead. */
  gatewayAliveMs: 15_000,
  /** Over how long a gateway that stops sends its agents away; within the grace of `npm start`. */
  drainMs: 1_000,
  /** One try of an admission; shorter than `rebuildSettleMs`. */
  admitTryMs: 3_000,
  /** First wait of a batch of which no host was admitted; it doubles up to sixteen times that. */
  admitRetryMs: 1_000,
  /** A batch of which no host is admitted for so long is given up: its hosts end as never admitted. */
  admitTimeoutMs: 600_000,
  /** Between a loss of Redis and the look at what open repairs hold: what it still granted is in their histories by then. */
  rebuildSettleMs: 5_000,
  /** Between two looks at whether Redis has lost the holds. */
  rebuildLookMs: 1_000,
  /** How long a job may queue. */
  notAfterMs: 60_000,
  /** A step that does not say its timeout. */
  jobTimeoutMs: 60_000,
  /** Between TERM and KILL. */
  killGraceMs: 5_000,
  /** Least wait before a poll; the wait is max(this, job timeout ÷ 4). */
  pollAfterMinMs: 15_000,
  /** Added to job timeout + notAfter: the batch deadline. */
  batchGraceMs: 60_000,
  /** First wait between two tries of a probe; it doubles up to a minute. */
  probeRetryMs: 5_000,
  /** So long after a resolved a silent source may still be heard: Prometheus renews each alert once a minute. */
  watchdogLagMs: 60_000,
  /** Between two looks at whether a source was heard. */
  watchdogLookMs: 15_000,
  /** A mailbox stays at least this long after its last repair (rule R2). */
  lingerMinMs: 900_000,
  /** How long a callback is tried again. */
  callbackRetryMs: 86_400_000,
  /** How long an escalation is tried again. */
  escalationRetryMs: 86_400_000,
  /** A stream entry another dispatcher left unacknowledged is claimed after this (rule R2). */
  intakeClaimMs: 60_000,
  /** How long an agent is waited for that was asked for output. */
  outputGetMs: 5_000,
  /** The time in which hosts that alert are counted together, and by which a storm outlives its end (rule R14). */
  massWindowMs: 60_000,
  /** Between two looks of the janitor at tasks of closed workflows (rule R9). */
  janitorMs: 60_000,
  /** Between two looks of the janitor at the control cache (rule R6). */
  controlRefreshMs: 2_000,
  /** An agent's certificate; it is renewed at half of it (security 4: an hour to a week). */
  certificateLifeMs: 86_400_000,
} as const;

export type Clocks = { readonly [K in keyof typeof defaultClocks]: number };
