/** Contracts of custom statuses of one hub, and what follows from them for turns. */
import {
  decideDeleteSchema,
  decidePutSchema,
  type PutSchemaCommand,
} from "../engine/hub/status-schemas.ts";
import type { Reply } from "../engine/repeat.ts";
import type {
  CustomStatusPolicy,
  StatusContract,
  StatusRules,
} from "../engine/turn/custom-status.ts";
import { contractOf } from "../engine/turn/status-contract.ts";
import { assert } from "../foundation/assert.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { StatusSchema } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Commands } from "./commands.ts";
import type { HubLog } from "./hub-log.ts";

export class StatusSchemas {
  readonly #hub: HubLog;
  readonly #commands: Commands;
  readonly #policy: CustomStatusPolicy;
  /** Compiled once for each schema that was put, and forgotten with it. */
  readonly #contracts = new WeakMap<StatusSchema, StatusContract>();

  constructor(hub: HubLog, commands: Commands, policy: CustomStatusPolicy) {
    this.#hub = hub;
    this.#commands = commands;
    this.#policy = policy;
  }

  /** What the custom status of an orchestration has to follow, as decided. */
  rulesFor(name: string): StatusRules {
    const schema = this.#hub.state?.schemas.get(name);
    return { policy: this.#policy, contract: schema && this.#contractOf(schema) };
  }

  /** @param command its schema was compiled @throws HubError "limit-exceeded" */
  put<Result>(command: PutSchemaCommand, reply: Reply<StatusSchema, Result>): Promise<Result> {
    return this.#commands.onHub(Cause.SCHEMA, reply, {}, (state, environment) => {
      const decision = decidePutSchema(state, command, environment);
      const outcome = () => {
        const put = decision.kind === "append" ? decision.entry.schemasPut[0] : undefined;
        assert(put !== undefined, "a schema that was put is in the entry");
        return put;
      };
      return { decision, outcome };
    });
  }

  /** @returns by `reply` whether there was one */
  delete<Result>(name: string, reply: Reply<boolean, Result>): Promise<Result> {
    const withoutHub = () => false;
    return this.#commands.onHub(Cause.SCHEMA, reply, { withoutHub }, (state, environment) => {
      const decision = decideDeleteSchema(state, name, environment);
      return { decision, outcome: () => decision.kind === "append" };
    });
  }

  #contractOf(schema: StatusSchema): StatusContract {
    let contract = this.#contracts.get(schema);
    if (contract === undefined) {
      contract = contractOf(schema);
      this.#contracts.set(schema, contract);
    }
    return contract;
  }
}
