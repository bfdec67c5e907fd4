/**
 * What may not be handed out, from what clients were told alone: a hold holds from the moment at which
 * its placing was acknowledged to the moment at which its release, or the end of its instance, was
 * asked for. It knows nothing of the hub but moments.
 */

/** A place in the one order of all that happens. */
export type Moment = number;

/** An instance as its id tells it: `w3` of the name `Even`, its child `w3/1`. */
export interface Subject {
  readonly id: string;
  readonly name: string;
}

export type Covered =
  | { readonly scope: "instance"; readonly id: string }
  | { readonly scope: "tree"; readonly id: string }
  | { readonly scope: "window"; readonly prefix: string; readonly name: string | undefined };

export interface Span {
  readonly hold: string;
  readonly covered: Covered;
  readonly from: Moment;
  to: Moment;
}

export class Oracle {
  #open: Span[] = [];
  /** Those that ended lately: a hand-out is looked at a little later than it happened. */
  #ended: Span[] = [];
  spans = 0;

  get open(): readonly Span[] {
    return this.#open;
  }

  /** The placing was acknowledged. */
  acknowledged(hold: string, covered: Covered, from: Moment): Span {
    const span = { hold, covered, from, to: Number.POSITIVE_INFINITY };
    this.#open.push(span);
    this.spans += 1;
    return span;
  }

  /** Its release is asked for. */
  end(span: Span, to: Moment): void {
    span.to = Math.min(span.to, to);
    this.#open = this.#open.filter((each) => each !== span);
    this.#ended.push(span);
    if (this.#ended.length > 200) this.#ended.splice(0, 100);
  }

  /** The end of an instance is asked for: its own holds go, and trees that begin with it. */
  instanceEnds(id: string, at: Moment): void {
    for (const span of [...this.#open]) {
      const { covered } = span;
      if (covered.scope !== "window" && covered.id === id) this.end(span, at);
    }
  }

  /** The span in which something was handed out that must not have been. */
  violated(subject: Subject, at: Moment): Span | undefined {
    const isIn = (span: Span) => span.from < at && at < span.to && covers(span.covered, subject);
    return this.#open.find(isIn) ?? this.#ended.find(isIn);
  }

  isHeld(subject: Subject): boolean {
    return this.#open.some(({ covered }) => covers(covered, subject));
  }
}

function covers(covered: Covered, { id, name }: Subject): boolean {
  switch (covered.scope) {
    case "instance":
      return id === covered.id;
    case "tree":
      return id === covered.id || id.startsWith(`${covered.id}/`);
    case "window":
      return id.startsWith(covered.prefix) && (covered.name === undefined || covered.name === name);
  }
}
