/** Trees and windows of the model, and what becomes of them. */
import type { ModelHubHold, Pace } from "./hold-model.ts";
import type { Life } from "./life-model.ts";

type Held = ModelHubHold<Life>;

export class HubHoldsModel {
  all: Held[] = [];

  place(placed: Held, replace: boolean): void {
    const at = this.all.findIndex(
      ({ name, origin }) => name === placed.name && origin === placed.origin,
    );
    if (at === -1) this.all.push(placed);
    // One that is on its way out is placed anew.
    else if (replace || this.all[at]?.pace !== undefined) this.all[at] = placed;
  }

  release(isIt: (hold: Held) => boolean, pace: Pace | undefined, now: number): void {
    if (pace === undefined) this.remove(isIt);
    else for (const hold of this.all.filter(isIt)) hold.beginPace(pace, now);
  }

  remove(isIt: (hold: Held) => boolean): void {
    this.all = this.all.filter((hold) => !isIt(hold));
  }

  /** In force, and covering it. */
  covering(life: Life, now: number): Held[] {
    return this.all.filter((hold) => hold.isActive(now) && hold.covers(life));
  }

  freezes(life: Life, now: number): boolean {
    return this.all.some((hold) => hold.freezes(now) && hold.covers(life));
  }

  refusesStart(life: Life, now: number): boolean {
    return this.covering(life, now).some((hold) => hold.refusesStarts && hold.pace === undefined);
  }
}
