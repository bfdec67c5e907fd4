/** What one step of the script is, and how steps are made. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import type {
  CreateInstanceRequestSchema,
  OrchestratorAction,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type {
  ResumeInstanceRequestSchema,
  ResumeTaskHubRequestSchema,
  SuspendInstanceRequestSchema,
  SuspendTaskHubRequestSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import type { HeldSidecar } from "./held-sidecar.ts";

/** Something that is asked of the sidecar until it is answered. */
export interface Step {
  readonly name: string;
  /** May be called again by the next life when its answer was lost. */
  readonly run: (sidecar: HeldSidecar) => Promise<unknown>;
  /** It carries an idempotency key: asked again at any later time, it answers the same. */
  readonly repeatable?: boolean;
  /** The instance whose life ends by it, and with it what it remembers of requests. */
  readonly ends?: string;
  /** The instance that remembers the request. */
  readonly about?: string;
  /** It needs several commits: between them the sidecar may be found in states of its own. */
  readonly inPieces?: boolean;
  /** It writes nothing that a kill could tear. */
  readonly looksOnly?: boolean;
}

type Suspend = MessageInitShape<typeof SuspendInstanceRequestSchema>;
type Resume = MessageInitShape<typeof ResumeInstanceRequestSchema>;
type SuspendHub = MessageInitShape<typeof SuspendTaskHubRequestSchema>;
type ResumeHub = MessageInitShape<typeof ResumeTaskHubRequestSchema>;

interface More {
  readonly answers?: object;
  readonly inPieces?: boolean;
  readonly headers?: Record<string, string>;
  /** Waits for what the sidecar then does by itself. */
  readonly settled?: (sidecar: HeldSidecar) => Promise<unknown>;
}

/** The same request, with the same time of sending, starts one instance however often it is sent. */
export function starts(
  instanceId: string,
  request: MessageInitShape<typeof CreateInstanceRequestSchema>,
  headers: Record<string, string> = {},
): Step {
  const requestTime = timestampFromMs(Date.now());
  const sent = { instanceId, requestTime, ...request };
  return {
    name: `start ${instanceId} ${request.version ?? ""}`,
    ends: instanceId,
    run: (sidecar) => sidecar.compat.startInstance(sent, { headers }),
  };
}

export function suspends(instanceId: string, request: Suspend, more: More = {}): Step {
  const requestId = newRequestId(`suspend ${instanceId} by ${request.name}`);
  return repeatable(requestId, instanceId, more, ({ v1 }) =>
    v1.suspendInstance({ instanceId, ...request, requestId }),
  );
}

export function resumes(instanceId: string, request: Resume, more: More = {}): Step {
  const requestId = newRequestId(`resume ${instanceId} from ${request.name}`);
  return repeatable(requestId, instanceId, more, ({ v1 }) =>
    v1.resumeInstance({ instanceId, ...request, requestId }),
  );
}

export function suspendsHub(request: SuspendHub, more: More = {}): Step {
  const requestId = newRequestId(`window ${request.name}`);
  return repeatable(requestId, undefined, more, ({ v1 }) =>
    v1.suspendTaskHub({ ...request, requestId }, { headers: more.headers ?? {} }),
  );
}

export function resumesHub(request: ResumeHub, more: More = {}): Step {
  const requestId = newRequestId(`end of window ${request.name}`);
  return repeatable(requestId, undefined, more, ({ v1 }) =>
    v1.resumeTaskHub({ ...request, requestId }, { headers: more.headers ?? {} }),
  );
}

export function raises(instanceId: string, name: string, headers = {}): Step {
  const requestId = newRequestId(`raise ${name} to ${instanceId}`);
  return repeatable(requestId, instanceId, {}, ({ v1 }) =>
    v1.raiseEvent({ instanceId, name, input: `"${name}"`, requestId }, { headers }),
  );
}

export function terminates(instanceId: string, output: string): Step {
  const requestId = newRequestId(`terminate ${instanceId}`);
  // It is carried out when no turn is with a worker any more.
  const settled = async (sidecar: HeldSidecar) => {
    const { inFlight } = await sidecar.v1.getSuspension({ instanceId });
    if (inFlight.length > 0) await sidecar.complete(await sidecar.turnOf(instanceId), []);
    await sidecar.v1.waitForInstance({ instanceId });
  };
  return repeatable(requestId, instanceId, { inPieces: true, settled }, ({ v1 }) =>
    v1.terminateInstance({ instanceId, output, recursive: true, requestId }),
  );
}

/**
 * A turn that sets the custom status of this revision, by which a repeat sees that it was taken, and
 * may create a child.
 */
export function turns(
  instanceId: string,
  revision: number,
  customStatus: string | undefined,
  actions: () => readonly OrchestratorAction[] = () => [],
  child?: string,
): Step {
  return {
    name: `turn of ${instanceId} with revision ${revision}`,
    // Children and messages leave in commits of their own.
    inPieces: true,
    run: async (sidecar) => {
      const seen = await sidecar.v1.getCustomStatus({ instanceId });
      if (Number(seen.revision) !== revision) {
        expect(Number(seen.revision)).toBe(revision - 1);
        const turn = await sidecar.turnOf(instanceId);
        await sidecar.complete(turn, actions(), customStatus);
      }
      // It is there when its first turn is given out.
      if (child !== undefined) await sidecar.turnOf(child);
    },
  };
}

/** Something without a key that changes nothing when it is done again. */
export function does(name: string, run: Step["run"], more: Partial<Step> = {}): Step {
  return { name, run, ...more };
}

let requests = 0;

function newRequestId(about: string): string {
  requests += 1;
  return `${requests}: ${about}`;
}

/** Looks whether all is as it must be. */
export function looks(name: string, run: Step["run"]): Step {
  return { name, run, looksOnly: true };
}

function repeatable(
  name: string,
  about: string | undefined,
  { answers = {}, inPieces = false, settled = async () => {} }: More,
  ask: (sidecar: HeldSidecar) => Promise<object>,
): Step {
  return {
    name,
    repeatable: true,
    inPieces,
    ...(about === undefined ? {} : { about }),
    run: async (sidecar) => {
      const answer = await ask(sidecar);
      expect(answer).toMatchObject(answers);
      await settled(sidecar);
      return answer;
    },
  };
}
