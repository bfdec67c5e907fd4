/** Every bound of the sidecar, in one place. Sizes are bytes of UTF-8 or of encoded protobuf. */
export const LIMITS = {
  /** One gRPC message from a client or worker. */
  receiveBytesMax: 64 * 1024 * 1024,
  /** One payload: input, output, event data. */
  payloadBytesMax: 2 * 1024 * 1024,
  customStatusBytesMax: 64 * 1024,
  /** Revisions of the custom status that are kept for each instance, the newest included, and their bytes. */
  customStatusRevisionsMax: 32,
  customStatusRevisionBytesMax: 256 * 1024,
  /** Changes of one instance's custom status above which the log warns. */
  customStatusAdvisedPerSecond: 2,
  /** Orchestration names with figures of their own, and instances whose rate is watched. */
  customStatusMetricNamesMax: 200,
  customStatusRatesMax: 1_000,
  /** JSON Schemas of custom statuses, and what checking one text may take. */
  schemaBytesMax: 64 * 1024,
  schemasMax: 256,
  schemaDepthMax: 64,
  /** `$id`s within one another: each level doubles what finding references takes. */
  schemaIdDepthMax: 8,
  schemaPartsMax: 5_000,
  schemaPatternLengthMax: 512,
  schemaViolationBytesMax: 1024,
  checkedDepthMax: 100,
  checkedNameLengthMax: 1_024,
  checkedUniqueItemsMax: 1_000,
  /** Schemas that are applied to one text, the larger ones counted more than once. */
  checkedStepsMax: 100_000,
  /** Characters that regular expressions look at in the worst case. */
  checkedPatternStepsMax: 10_000_000,
  instanceIdBytesMax: 512,
  nameBytesMax: 256,
  versionBytesMax: 256,
  reasonBytesMax: 16 * 1024,
  taskHubNameBytesMax: 128,
  tagsMax: 64,
  tagKeyBytesMax: 128,
  tagValueBytesMax: 1024,
  taskHubsMax: 256,
  actionsPerTurnMax: 10_000,
  actionsPerTurnBytesMax: 16 * 1024 * 1024,
  /** Tags of an instance, counted once for each child that one turn begins with them. */
  inheritedTagBytesMax: 64 * 1024 * 1024,
  /** Events that one turn takes from the inbox. */
  turnEventsMax: 1_000,
  turnEventBytesMax: 1024 * 1024,
  /** Timers of one instance that fire in one commit; the rest follows in the next one. */
  timersFiredMax: 10_000,
  /** Messages of one outbox that one commit delivers. */
  mailSliceMax: 64,
  ancestorsMax: 256,
  senderMarksMax: 1_024,
  /** Operations that one batch of an entity takes from its queue, and their bytes. */
  entityBatchOperationsMax: 200,
  entityBatchBytesMax: 1024 * 1024,
  /** State of an entity: with one operation beside it, it has to fit a work item. */
  entityStateBytesMax: 2 * 1024 * 1024 - 128 * 1024,
  /** Entities that one critical section locks. */
  lockSetMax: 1_000,
  rememberedRequestsMax: 256,
  requestIdBytesMax: 128,
  /** Holds of one instance; windows and trees of one hub. */
  instanceHoldsMax: 64,
  hubHoldsMax: 1_000,
  selectorValuesMax: 100,
  /** Spans of frozen time that a hub keeps. */
  freezeSpansMax: 1_000,
  /** The log of a hub begins a generation when it has grown by more, and by twice its base. */
  hubLogTailBytesMin: 64 * 1024,
  /** External events that wait in one inbox: above it RaiseEvent is refused. */
  bufferedEventsMax: 10_000,
  bufferedEventBytesMax: 64 * 1024 * 1024,
  /** Changes that a hub remembers for watches that come back. */
  watchedChangesMax: 100_000,
  watchersMax: 10_000,
  queryPageDefault: 100,
  queryPageMax: 1_000,
  /** A page of QueryInstances: clients refuse messages above 4 MB unless they were told otherwise. */
  queryPageBytesMax: 3 * 1024 * 1024,
  /** Instances that one SkipGracefulOrchestrationTerminations names. */
  terminationsMax: 500,
  /** Index rows that one call of a query looks at, and instances that it loads. */
  queryRowsMax: 5_000,
  queryLoadsMax: 500,
  /** Rows of one call that only counts rows. */
  queryCountedRowsMax: 100_000,
  statusConditionsMax: 10,
  statusPointerBytesMax: 1_024,
  /**
   * Items in flight on one stream, per kind: the default when a worker states nothing, and the most
   * it gets.
   */
  streamCreditDefault: 1_000,
  streamCreditMax: 10_000,
  /** Deliveries of one item that are counted on disk when they end without an answer. */
  deliveriesCountedMax: 1_000,
  metadataBytesMax: 16 * 1024,
  historyChunkBytes: 256 * 1024,
  /** The history of one generation: the log warns of longer ones, and nothing is refused. */
  historyEventsAdvised: 51_200,
  historyBytesAdvised: 50 * 1024 * 1024,
  /** A worker that can fetches a longer history itself; a longer one is read in pages. */
  streamedHistoryBytes: 1024 * 1024,
  /** Long histories that are read at once, over all hubs: each has a few pages in memory. */
  historyStreamsMax: 32,
  /** A history whose next chunk nobody takes is given up: it pins a snapshot of the store. */
  historyIdleMs: 60_000,
  /** One message to a worker: gRPC refuses more than 4 MiB unless its user has said otherwise. */
  workItemBytesMax: 4 * 1024 * 1024 - 64 * 1024,
  /** One message to a worker whose SDK takes any size. */
  largeWorkItemBytesMax: 64 * 1024 * 1024,
  /** How often a worker may ask for a history to be in a message that it does not fit into. */
  turnsResentMax: 5,
  /** Events above this size are references in snapshots. */
  snapshotInlineBytesMax: 1024,
  snapshotTailBytesMin: 64 * 1024,
  /** Instances that nobody uses are kept in memory up to this many bytes. */
  idleHeadBytesMax: 128 * 1024 * 1024,
  /** Instances that wait for workers are kept in memory up to this many bytes. */
  readyBytesMax: 32 * 1024 * 1024,
  timerWindowMs: 60_000,
  timerWindowRowsMax: 10_000,
  waitersMax: 10_000,
  /** Waits and streams of one connection, so that one client cannot take all. */
  connectionWaitsMax: 5_000,
  /** The request of one wait or stream, which stays as long as that does, and of all together. */
  waitRequestBytesMax: 256 * 1024,
  waitRequestsBytesMax: 64 * 1024 * 1024,
  /** Requests that are arriving or being answered, over all connections: above it new ones are refused. */
  requestsBytesMax: 64 * 1024 * 1024,
  /** A request up to this size is small, and all such may take so much more. */
  smallRequestBytesMax: 64 * 1024,
  smallRequestsReserveBytes: 8 * 1024 * 1024,
  /** What all streams have written and the network has not taken: above it each has one message at a time. */
  outboundBytesMax: 64 * 1024 * 1024,
  /** TCP connections at one time; above it new ones are closed at once. */
  connectionsMax: 20_000,
  /**
   * Writes of one commit group, unless one commit alone has more: 50,000 would block the event loop
   * for 0.6 s.
   */
  groupWritesMax: 2_000,
  groupBytesMax: 8 * 1024 * 1024,
  /** Entries of one log share a put up to this many bytes; an entry alone may have more. */
  logPutBytesMax: 1024 * 1024,
  /** History that one entry takes of a generation that begins with some: the rest is in further entries. */
  historyEntryBytesMax: 256 * 1024,
  /** What a worker may make of a history that it rewinds by itself. */
  rewoundEventsMax: 100_000,
  rewoundEventBytesMax: 3 * 1024 * 1024,
  /** Children that one slice of mail rewinds: the history of each is in memory meanwhile. */
  rewindsPerSliceMax: 4,
  /** Bytes of commits that are not durable yet: above it nothing new is accepted. */
  pendingBytesMax: 32 * 1024 * 1024,
  /** Old group records that one group deletes. */
  groupRecordTrimMax: 500,
  /** Instances that one purge names, and that it deletes before it waits for the disk. */
  purgeSliceMax: 500,
  /** Keys that one slice of background deletion removes. */
  garbageSliceMax: 500,
  /** Bytes of one part of a backup, on its way out and in. */
  backupPartBytesMax: 256 * 1024,
  /** Exports that are under way at once: each pins a snapshot of the store. */
  exportsMax: 4,
  /** An export whose next part nobody takes, and an import whose next part does not come, are given up. */
  exportIdleMs: 60_000,
  importIdleMs: 60_000,
  /** What an import writes in one commit. */
  importCommitBytes: 1024 * 1024,
  importCommitWritesMax: 1_000,
} as const;
