/**
 * How often work may be lost before it is not handed out any more. Work that is given back does not
 * count as lost. Undefined: for ever.
 */
export interface DeliveryLimits {
  /** Then the instance is quarantined. */
  readonly turnLossesMax: number | undefined;
  /** Then the activity fails. */
  readonly activityLossesMax: number | undefined;
}

export const noDeliveryLimits: DeliveryLimits = {
  turnLossesMax: undefined,
  activityLossesMax: undefined,
};
