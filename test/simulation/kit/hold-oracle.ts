/**
 * What may not be handed out, from what clients were told alone: from the acknowledgement of a hold
 * to the moment at which its release, or the end of its instance, was asked for.
 */

import { isEntityId } from "../../../sidecar/foundation/entity-id.ts";

/** A place in the one order of all that happens. */
export type Moment = number;

export interface Subject {
  readonly hub: string;
  readonly instanceId: string;
  readonly name: string;
}

export type Covered =
  | { readonly scope: "instance"; readonly instanceId: string }
  | { readonly scope: "tree"; readonly instanceId: string }
  | {
      readonly scope: "window";
      readonly prefix: string;
      readonly name: string | undefined;
      readonly entities: boolean;
    };

export interface Span {
  readonly hold: string;
  readonly hub: string;
  readonly covered: Covered;
  readonly from: Moment;
  to: Moment;
  /** Wall-clock times between which it holds. */
  readonly startsAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
}

export class HoldOracle {
  readonly #spans = new Set<Span>();
  count = 0;

  acknowledged(span: Span): void {
    this.#spans.add(span);
    this.count += 1;
  }

  end(span: Span, at: Moment): void {
    span.to = Math.min(span.to, at);
  }

  /** An instance has ended: its own holds went with it, and trees that began with it. */
  instanceEnded(hub: string, instanceId: string, at: Moment): void {
    for (const span of this.#spans) {
      const { covered } = span;
      if (covered.scope === "window" || span.hub !== hub) continue;
      if (covered.instanceId === instanceId) this.end(span, at);
    }
  }

  /**
   * The span in which something was handed out that must not have been.
   *
   * @param clock what the wall clock shows, and the latest that it has ever shown
   */
  violated(
    subject: Subject,
    at: Moment,
    clock: { readonly nowMs: number; readonly highestMs: number },
  ): Span | undefined {
    for (const span of this.#spans) {
      // Nothing older can be asked about: items are looked at as soon as they are handed out.
      if (span.to < at - 10_000) this.#spans.delete(span);
      if (at <= span.from || at >= span.to || span.hub !== subject.hub) continue;
      if (span.startsAtMs !== undefined && clock.nowMs < span.startsAtMs) continue;
      if (span.expiresAtMs !== undefined && clock.highestMs >= span.expiresAtMs) continue;
      if (covers(span.covered, subject)) return span;
    }
    return undefined;
  }
}

function covers(covered: Covered, { instanceId, name }: Subject): boolean {
  switch (covered.scope) {
    case "instance":
      return instanceId === covered.instanceId;
    case "tree":
      return instanceId === covered.instanceId || instanceId.startsWith(`${covered.instanceId}/`);
    case "window":
      return (
        (covered.entities || !isEntityId(instanceId)) &&
        instanceId.startsWith(covered.prefix) &&
        (covered.name === undefined || covered.name === name)
      );
  }
}
