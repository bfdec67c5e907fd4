/** What clients ask for, of a task hub and of its model. */
import { create } from "@bufbuild/protobuf";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import {
  PacedReleaseSchema,
  SelectorSchema,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Cover, Pace } from "./hold-model.ts";
import type { Outcome } from "./life-model.ts";
import type { AskedStep, Step } from "./steps.ts";
import { place, type TestedWorld, wishOf } from "./tested-world.ts";
import type { WorldModel } from "./world-model.ts";

const roots = ["a1", "a2", "b1"] as const;

/** The target of a step: a root, whether it exists or not, or a child that does. */
function idAt(model: WorldModel, at: number): string {
  const ids = new Set<string>([...roots, ...model.lives.keys()]);
  return [...ids][at % ids.size] ?? "a1";
}

/** What a request of a client does: to the model, and the call. */
export interface Request {
  readonly model: () => Outcome;
  readonly real: () => Promise<unknown>;
}

export function requestOf(
  world: TestedWorld,
  step: AskedStep | Extract<Step, { readonly kind: "start" | "terminate" }>,
): Request {
  const { model, hub } = world;
  const id = "at" in step ? idAt(model, step.at) : "";
  switch (step.kind) {
    case "start": {
      const root = roots[step.at % roots.length] ?? "a1";
      const name = root.startsWith("a") ? "Alpha" : "Beta";
      return { model: () => model.start(root, name), real: () => hub.start(root, { name }) };
    }
    case "raise": {
      const event = `E${world.next()}`;
      return { model: () => model.raise(id, event), real: () => hub.raise(id, event) };
    }
    case "terminate": {
      const { recurse } = step;
      return {
        model: () => model.terminate(id, recurse),
        real: () => hub.terminate(id, "output", recurse),
      };
    }
    case "place": {
      const { wish, replace } = step;
      return {
        model: () => model.place(id, wish, replace),
        real: () => place(hub, id, wish, replace),
      };
    }
    case "tree": {
      const { wish, replace } = step;
      return {
        model: () => model.placeTree(id, wish, replace),
        real: () => hub.hub.suspensions.placeTree(id, wishOf(hub, wish), replace, noReply),
      };
    }
    case "letGo":
      return windowRequest(world, ...letGo(model, step));
    default:
      return windowRequest(world, id, step);
  }
}

/** The release of one of the holds there are, of whatever scope. */
function letGo(
  { lives, hubHolds }: WorldModel,
  { at, pace }: Extract<AskedStep, { readonly kind: "letGo" }>,
): [id: string, step: ReleaseStep] {
  const own = Array.from(lives.values()).flatMap(({ id, holds }) =>
    holds.map(({ name }) => ({ id, name, scope: "instance" })),
  );
  const others = hubHolds.all.map(({ origin, name }) => ({
    id: origin?.id ?? "",
    name,
    scope: origin === undefined ? "window" : "tree",
  }));
  const all = [...others, ...own];
  const { id, name, scope } = all[at % all.length] ?? { id: "", name: "w", scope: "window" };
  if (scope === "window") return [id, { kind: "releaseWindow", name, pace }];
  const trees = scope === "tree";
  return [id, { kind: "release", at: 0, names: trees ? [] : [name], trees, pace }];
}

type ReleaseStep = Extract<AskedStep, { readonly kind: "release" | "releaseWindow" }>;

function windowRequest(
  { model, hub }: TestedWorld,
  id: string,
  step: ReleaseStep | Extract<AskedStep, { readonly kind: "window" }>,
): Request {
  const { suspensions } = hub.hub;
  switch (step.kind) {
    case "window": {
      const { wish, replace, refusesStarts, startsIn } = step;
      const target = {
        kind: "window",
        selector: selectorOf(step.cover),
        startsAt: startsIn === undefined ? undefined : hub.clock.in(startsIn * 1_000),
        refusesStarts,
        includeEntities: false,
      } as const;
      return {
        model: () => model.placeWindow(wish, step, replace),
        real: () => suspensions.placeWindow(wishOf(hub, wish), target, replace, noReply),
      };
    }
    case "release": {
      const { names, trees, pace } = step;
      const wish = {
        names,
        trees: trees ? ("all" as const) : [],
        pace: paceOf(pace),
        reason: undefined,
        requestedBy: "model",
        ignoreFinished: false,
      };
      return {
        model: () => model.release(id, names, trees, pace),
        real: () => suspensions.release(id, wish, noReply),
      };
    }
    case "releaseWindow": {
      const { name, pace } = step;
      return {
        model: () => model.releaseWindow(name, pace),
        real: () => suspensions.releaseWindows({ name }, paceOf(pace), "model", noReply),
      };
    }
  }
}

function selectorOf(cover: Cover) {
  if (cover === "everything") return undefined;
  if (cover === "Alpha" || cover === "Child") return create(SelectorSchema, { names: [cover] });
  return create(SelectorSchema, { instanceIdPrefix: cover });
}

function paceOf(pace: Pace | undefined) {
  if (pace === undefined) return undefined;
  const { perSecond: instancesPerSecond, canaries } = pace;
  return create(PacedReleaseSchema, { instancesPerSecond, canaries });
}
