import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import { mountService, type ServiceMount } from "../service.ts";
import { controlMethods } from "./control-methods.ts";
import { customStatusMethods } from "./custom-status-methods.ts";
import { insightMethods, type ProcessFacts } from "./insight-methods.ts";
import { queryMethods } from "./query-methods.ts";
import { schemaMethods } from "./schema-methods.ts";
import { suspensionMethods } from "./suspension-methods.ts";
import { watchMethods } from "./watch-methods.ts";

/** Our own service for clients: suspension, custom status, finding and understanding instances. */
export function clientService(hubs: TaskHubs, facts: ProcessFacts): ServiceMount {
  return mountService(ClientService, {
    ...controlMethods(hubs),
    ...customStatusMethods(hubs),
    ...insightMethods(hubs, facts),
    ...queryMethods(hubs),
    ...schemaMethods(hubs),
    ...suspensionMethods(hubs),
    ...watchMethods(hubs),
  });
}
