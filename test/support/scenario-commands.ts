/** The commands of scenarios: each runs against a world and gives the lines that it prints. */
import { decideActivityResult } from "../../sidecar/engine/activity.ts";
import type { Decision, Environment } from "../../sidecar/engine/decision.ts";
import { decideDue } from "../../sidecar/engine/due.ts";
import { decidePurge } from "../../sidecar/engine/purge.ts";
import { decideRaiseEvent } from "../../sidecar/engine/raise-event.ts";
import { decideStart, type StartCommand } from "../../sidecar/engine/start.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { decideFinishTerminate, decideTerminate } from "../../sidecar/engine/terminate.ts";
import { decideTurnLost } from "../../sidecar/engine/turn/lost.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { parseActions } from "./scenario-actions.ts";
import { parseTime, ScenarioArguments } from "./scenario-arguments.ts";
import { returnActivity, returnTurn } from "./scenario-deliveries.ts";
import { parseFreezes, placeHold, releaseHolds } from "./scenario-holds.ts";
import { formatOutcome } from "./scenario-outcome.ts";
import { formatEvent, formatIdentity, formatLife, section } from "./scenario-output.ts";
import type { ScenarioCommand, ScenarioStep } from "./scenario-reader.ts";
import { restartInstance, rewindInstance } from "./scenario-reruns.ts";
import { listStatusRevisions, setStatusContract, setStatusPolicy } from "./scenario-status.ts";
import { type Answer, Inapplicable, type ScenarioWorld } from "./scenario-world.ts";

type Command = (
  world: ScenarioWorld,
  given: ScenarioArguments,
  details: readonly string[],
) => readonly string[];

/** Runs the commands of a step and gives what the last one prints. */
export function runStep(world: ScenarioWorld, { commands }: ScenarioStep): readonly string[] {
  let output: readonly string[] = [];
  for (const [index, command] of commands.entries()) {
    output = runCommand(world, command);
    const isUseless = /^(nothing|refused|stale|no turn)/.test(output[0] ?? "");
    if (isUseless && index < commands.length - 1) {
      throw new Error(`leads nowhere: ${command.command}: ${output[0]}`);
    }
    world.checkAll();
  }
  return output;
}

/** Every command takes `at=10:00:05`: hub time from then on. */
export function runCommand(world: ScenarioWorld, line: ScenarioCommand): readonly string[] {
  const given = new ScenarioArguments(line.command);
  const name = given.word("command");
  const command = commands[name];
  if (command === undefined) throw new Error(`no such command: ${name}`);
  const at = given.text("at");
  if (at !== undefined) world.now = parseTime(at);
  const output = command(world, given, line.details);
  given.end();
  return output;
}

const commands: Readonly<Record<string, Command>> = {
  start,
  begin,
  complete,
  turn: (world, given, details) => {
    const id = given.word("instance");
    const answer = parseAnswer(given, details);
    world.beginTurn(id);
    return formatOutcome(world, world.completeTurn(id, answer));
  },
  lose: (world, given) => {
    const instanceId = given.word("instance");
    world.loseTurn(instanceId);
    const outcome = world.perform(instanceId, Cause.TURN_LOST, decideTurnLost);
    const isLost = outcome.decision.kind === "nothing";
    return isLost ? ["the turn is lost"] : formatOutcome(world, outcome);
  },
  "return-turn": returnTurn,
  "return-activity": returnActivity,
  activity,
  raise: (world, given) => {
    const instanceId = given.word("instance");
    const command = {
      instanceId,
      name: given.word("event name"),
      input: given.text("input"),
      ignoreFinished: !given.flag("strict"),
    };
    return simple(world, instanceId, Cause.RAISE_EVENT, (state, environment) =>
      decideRaiseEvent(state, command, environment),
    );
  },
  suspend: placeHold,
  resume: releaseHolds,
  terminate: (world, given) => {
    const instanceId = given.word("instance");
    const command = {
      instanceId,
      output: given.text("output"),
      recurse: given.flag("recurse"),
      ignoreFinished: !given.flag("strict"),
    };
    return simple(world, instanceId, Cause.TERMINATE, (state, environment) =>
      decideTerminate(state, command, environment),
    );
  },
  finish: (world, given) => {
    const { instanceId, state, turn } = world.life(given.word("instance"));
    if (turn !== undefined || state.pendingTerminate === undefined) {
      throw new Inapplicable(`no termination of ${instanceId} can be finished`);
    }
    return simple(world, instanceId, Cause.FINISH_TERMINATE, (_state, environment) =>
      decideFinishTerminate(state, environment),
    );
  },
  due: (world, given) => {
    const instanceId = given.word("instance");
    const turnInFlight = world.find(instanceId)?.turn !== undefined;
    const command = { turnInFlight, ...parseFreezes(given) };
    return simple(world, instanceId, Cause.DUE, (state, environment) =>
      decideDue(state, command, environment),
    );
  },
  purge: (world, given) => simple(world, given.word("instance"), Cause.PURGE, decidePurge),
  rewind: rewindInstance,
  restart: restartInstance,
  deliver,
  reload: (world, given) => {
    const instanceId = given.word("instance");
    world.reload(instanceId);
    return formatLife(world.life(instanceId), []);
  },
  policy: setStatusPolicy,
  contract: setStatusContract,
  revisions: listStatusRevisions,
  show: (world, given) => formatIdentity(world.life(given.word("instance"))),
  history: (world, given) => world.life(given.word("instance")).history.map(formatEvent),
};

function start(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const statuses = given.text("replace");
  const legacyAction = given.number("legacy") ?? 0;
  const fingerprint = given.text("fingerprint");
  const command: StartCommand = {
    instanceId: given.word("instance"),
    name: given.word("name"),
    version: given.text("version"),
    input: given.text("input"),
    tags: given.map("tags"),
    parentTraceContext: given.trace("trace"),
    scheduledStartAt: given.time("scheduled"),
    executionId: given.text("execution"),
    idReusePolicy:
      statuses === undefined
        ? undefined
        : { replaceableStatus: parseStatuses(statuses), legacyAction },
    fingerprint: fingerprint === undefined ? undefined : Buffer.from(fingerprint),
    refusedBecause: given.text("refused"),
  };
  return simple(world, command.instanceId, Cause.START, (state, environment) =>
    decideStart(state, command, environment),
  );
}

function parseStatuses(text: string): readonly OrchestrationStatus[] {
  const names = text === "" ? [] : text.split(",");
  return names.map((name) => {
    const status = OrchestrationStatus[name as keyof typeof OrchestrationStatus];
    if (status === undefined) throw new Error(`no such status: ${name}`);
    return status;
  });
}

function begin(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const through = given.number("through");
  if (!world.hasTurnToRun(instanceId)) return ["no turn to run"];
  const { executionId, started, taken } = world.beginTurn(instanceId, through);
  return [
    `a turn of execution=${executionId} is in flight`,
    ...section("events", [started, ...taken].map(formatEvent)),
  ];
}

function complete(
  world: ScenarioWorld,
  given: ScenarioArguments,
  details: readonly string[],
): readonly string[] {
  const instanceId = given.word("instance");
  const answer = parseAnswer(given, details);
  // As the scheduler does it: a token without a turn in flight is stale.
  if (world.find(instanceId)?.turn === undefined) return ["stale: no such turn is in flight"];
  return formatOutcome(world, world.completeTurn(instanceId, answer));
}

function parseAnswer(given: ScenarioArguments, details: readonly string[]): Answer {
  const trace = given.text("trace");
  return {
    actions: parseActions(details),
    customStatus: given.text("status"),
    eventsProcessed: given.number("processed"),
    traceContext: trace === undefined ? undefined : Buffer.from(trace),
  };
}

function activity(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const answer = {
    workId: BigInt(given.word("identity").slice(1)),
    result: given.text("result"),
    failureDetails: given.failure("failure"),
  };
  const log = given.number("log");
  return simple(world, instanceId, Cause.COMPLETE_ACTIVITY, (state, environment) => {
    // A token names the life that the activity was scheduled in.
    const its = log === undefined || state?.number === BigInt(log) ? state : undefined;
    return decideActivityResult(its, answer, environment);
  });
}

/**
 * `deliver order` empties its outbox; `deliver order unsettled` leaves the sender without the news
 * of it.
 */
function deliver(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const senderId = given.word("instance");
  const deliveries = world.deliver(senderId, { settle: !given.flag("unsettled") });
  const output: string[] = [];
  for (const { mail, outcome } of deliveries) {
    const { decision } = outcome;
    const refusal = decision.kind === "refuse" ? `refused ${decision.code}` : "";
    const news = { append: "taken in", begin: "begun", end: "ended", nothing: "dropped" };
    const said = `${mail.body.case} to ${mail.targetInstanceId || "nobody"}`;
    output.push(`${said}: ${decision.kind === "refuse" ? refusal : news[decision.kind]}`);
  }
  const touched = new Set([...deliveries.map(({ outcome }) => outcome.instanceId), senderId]);
  for (const id of touched) {
    const life = world.find(id);
    if (life !== undefined) output.push(...formatLife(life, []));
  }
  return output;
}

function simple(
  world: ScenarioWorld,
  instanceId: string,
  cause: Cause,
  decide: (state: InstanceState | undefined, environment: Environment) => Decision,
): readonly string[] {
  return formatOutcome(world, world.perform(instanceId, cause, decide));
}
