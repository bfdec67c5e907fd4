/** What workers answer, to a task hub and to its model. */
import * as act from "../../support/worker-actions.ts";
import type { TurnPlan } from "./life-model.ts";
import type { Step } from "./steps.ts";
import type { TestedWorld } from "./tested-world.ts";

export async function answerTurn(
  world: TestedWorld,
  step: Extract<Step, { readonly kind: "turn" }>,
): Promise<void> {
  const turns = world.out.filter(({ item }) => item.kind === "turn");
  const chosen = turns[step.at % turns.length];
  if (chosen === undefined) return;
  const plan: TurnPlan = {
    ends: step.ends,
    actions: step.actions.map(({ kind, seconds }) => ({ kind, id: world.next(), seconds })),
  };
  await answerWith(world, chosen, plan);
}

export async function answerWith(
  world: TestedWorld,
  chosen: TestedWorld["out"][number],
  { ends, actions }: TurnPlan,
): Promise<void> {
  const { item, life } = chosen;
  world.out = world.out.filter((out) => out !== chosen);
  if (item.kind !== "turn") return;
  const answer = actions.map((action) => {
    if (action.kind === "task") return act.scheduleTask(action.id);
    if (action.kind === "child") return act.startChild(action.id, `${life.id}.${action.id}`);
    return act.createTimer(action.id, world.hub.clock.in(action.seconds * 1_000));
  });
  if (ends === "completes") answer.push(act.completed("result"));
  if (ends === "continues-as-new") answer.push(act.continueAsNew("next"));
  // A child begins at a moment of its own, and so does what its end makes arrive.
  world.model.completeTurn(life, {
    ends,
    actions: ends === "continues-as-new" ? actions.filter(({ kind }) => kind !== "timer") : actions,
  });
  await world.worker?.complete(item, answer);
  if (life.isFinished) await world.hub.settled();
}

export async function answerActivity(world: TestedWorld, at: number): Promise<void> {
  const activities = world.out.filter(({ item }) => item.kind === "activity");
  const chosen = activities[at % activities.length];
  if (chosen !== undefined) await finish(world, chosen);
}

/** Gives back a turn or an activity, which comes again: at once or later. */
export async function abandon(world: TestedWorld, at: number): Promise<void> {
  const chosen = world.out[at % world.out.length];
  if (chosen === undefined) return;
  world.out = world.out.filter((out) => out !== chosen);
  const { item, life } = chosen;
  const activity =
    item.kind === "activity"
      ? life.activities.find(({ id, out }) => id === item.request.taskId && out)
      : undefined;
  // Of a life that is over, or of work that was cancelled, nothing comes again.
  if (item.kind === "turn") world.model.loseTurn(life);
  else if (activity !== undefined) world.model.loseActivity(activity);
  world.worker?.abandon(item);
}

export async function finish(
  world: TestedWorld,
  chosen: TestedWorld["out"][number],
): Promise<void> {
  const { item, life } = chosen;
  world.out = world.out.filter((out) => out !== chosen);
  if (item.kind !== "activity") return;
  const activity = life.activities.find(({ id, out }) => id === item.request.taskId && out);
  if (activity !== undefined) world.model.finishActivity(life, activity);
  await world.worker?.finish(item, `result ${item.request.taskId}`);
}
