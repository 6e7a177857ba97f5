/** Every Redis key of Fixpoint (names 4). Braces are hash tags. */
export const keys = {
  intake: {
    stream: 'fx:{intake}:stream',
    group: 'dispatcher',
    seen: (deliveryId: string) => `fx:{intake}:seen:${deliveryId}`,
    tombstone: (fingerprint: string) => `fx:{intake}:tomb:${fingerprint}`,
    fates: 'fx:{intake}:fates',
    /** Since when this Redis has seen everything: later than that nothing was lost. */
    since: 'fx:{intake}:since',
    /** The first firing of a fingerprint from before `since`, by entry id. */
    doubt: (fingerprint: string) => `fx:{intake}:doubt:${fingerprint}`,
    /** Bytes of the entries that wait in the stream. */
    bytes: 'fx:{intake}:bytes',
    /** `source|alertname` of alerts that show that their source lives, by when they last came in firing. */
    watchdogs: 'fx:{intake}:watchdogs',
    quarantine: 'fx:{intake}:quarantine',
    /** Hosts that alert by the time of their last alert, of `policy:{name}` or `domain:{name}`. */
    alerting: (what: string) => `fx:{intake}:alerting:${what}`,
    /** The storm that a policy is in, JSON; gone when it is over. */
    storm: (policy: string) => `fx:{intake}:storm:${policy}`,
    /** When the rate allows another mailbox to be opened. */
    starts: 'fx:{intake}:starts',
    /** What became of a delivery, JSON, for `alert why`. */
    record: (deliveryId: string) => `fx:{intake}:record:${deliveryId}`,
    /** Delivery ids of the latest records, newest first. */
    records: 'fx:{intake}:records',
  },
  governor: {
    /** Which run of Redis the holds are of, when they were rebuilt, and who rebuilds them. */
    meta: 'fx:{gov}:meta',
    /** Agent id → remediation id. */
    held: 'fx:{gov}:held',
    /** Agent id → JSON: the domains of a held host, and its service if it was healthy. */
    places: 'fx:{gov}:places',
    /** Agent ids of the held hosts of a domain. */
    domain: (name: string) => `fx:{gov}:domain:${name}`,
    /** Agent ids of the held hosts of a service that were healthy. */
    service: (name: string) => `fx:{gov}:service:${name}`,
    /** Agent ids that a remediation holds. */
    holder: (remediationId: string) => `fx:{gov}:holder:${remediationId}`,
    /** Which sets of the three kinds there are. */
    domains: 'fx:{gov}:domains',
    services: 'fx:{gov}:services',
    holders: 'fx:{gov}:holders',
    control: 'fx:{gov}:control',
    /** Agent id → JSON: agents that gateways found out and the control workflow is to lock. */
    lockWishes: 'fx:{gov}:lock-wishes',
  },
  task: {
    task: (taskId: string) => `fx:{t:${taskId}}:task`,
    jobs: (taskId: string) => `fx:{t:${taskId}}:jobs`,
    /** Head and tail of both streams of a job, a hash. */
    output: (of: { taskId: string; agentId: string }) => `fx:{t:${of.taskId}}:output:${of.agentId}`,
    /** Task ids that are not finished, by time of submit. */
    open: 'fx:tasks:open',
  },
  agent: {
    pending: (agentId: string) => `fx:{a:${agentId}}:pending`,
    session: (agentId: string) => `fx:{a:${agentId}}:session`,
    /** Agent id → `{sessionId} {opened, Unix ms of Redis} {gatewayId}` of the newest session. */
    owners: 'fx:agents:owners',
    /** Agent id → Unix milliseconds of its last ping. */
    heard: 'fx:agents:heard',
    /** Agent id → the highest sequence number that its journal ever told (rule R16). */
    sequences: 'fx:agents:sequences',
    /** Agent id → milliseconds; only of hosts whose clocks are off. */
    clockOffsets: 'fx:agents:clock-offsets',
  },
  gateway: {
    /** Holds the gateway's URL while it lives. */
    alive: (gatewayId: string) => `fx:gateway:${gatewayId}:alive`,
    /** Is there while the gateway sends its agents away. */
    draining: (gatewayId: string) => `fx:gateway:${gatewayId}:draining`,
    /** A channel, no key. */
    wake: (gatewayId: string) => `fx:gateway:${gatewayId}:wake`,
  },
  outbox: {
    callbacks: 'fx:outbox:callbacks',
    group: 'gateways',
    /** Callbacks that nobody took within `callbackRetryMs`; capped. */
    dead: 'fx:outbox:dead',
  },
  deadlines: 'fx:deadlines',
  /** An enrolment token, by the SHA-256 of its secret. */
  agentToken: (digest: string) => `fx:{enrol}:token:${digest}`,
  inventory: { agents: 'fx:{inv}:agents', meta: 'fx:{inv}:meta' },
} as const;
