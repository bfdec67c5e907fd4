/** Every bound of the sidecar, in one place. Sizes are bytes of UTF-8 or of encoded protobuf. */
export const LIMITS = {
  /** One gRPC message from a client or worker. */
  receiveBytesMax: 64 * 1024 * 1024,
  /** One payload: input, output, event data. */
  payloadBytesMax: 2 * 1024 * 1024,
  customStatusBytesMax: 64 * 1024,
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
  /** Events that one turn takes from the inbox. */
  turnEventsMax: 1_000,
  turnEventBytesMax: 1024 * 1024,
  /** Timers of one instance that fire in one commit; the rest follows in the next one. */
  timersFiredMax: 10_000,
  /** Messages of one outbox that one commit delivers. */
  mailSliceMax: 64,
  ancestorsMax: 64,
  senderMarksMax: 1_024,
  rememberedRequestsMax: 64,
  /**
   * Items in flight on one stream, per kind: the default when a worker states nothing, and the most
   * it gets.
   */
  streamCreditDefault: 1_000,
  streamCreditMax: 10_000,
  metadataBytesMax: 16 * 1024,
  historyChunkBytes: 256 * 1024,
  /** Events above this size are references in snapshots. */
  snapshotInlineBytesMax: 1024,
  snapshotTailBytesMin: 64 * 1024,
  /** Instances that nobody uses are kept in memory up to this many bytes. */
  idleHeadBytesMax: 128 * 1024 * 1024,
  timerWindowMs: 60_000,
  timerWindowRowsMax: 10_000,
  waitersMax: 10_000,
  /**
   * Writes of one commit group, unless one commit alone has more: 50,000 would block the event loop
   * for 0.6 s.
   */
  groupWritesMax: 2_000,
  groupBytesMax: 8 * 1024 * 1024,
  /** Old group records that one group deletes. */
  groupRecordTrimMax: 500,
  /** Keys that one slice of background deletion removes. */
  garbageSliceMax: 500,
} as const;
