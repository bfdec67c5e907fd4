/** A program that takes one turn, says so, and does nothing any more. `node stuck-worker.ts HOST:PORT` */
import { createClient } from "@connectrpc/connect";
import { TaskHubSidecarService } from "../../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CompatWorker } from "../../../support/compat-worker.ts";
import { GrpcTransport } from "../../../support/grpc-transport.ts";

const [host = "", port = ""] = (process.argv[2] ?? "").split(":");
const transport = new GrpcTransport({ host, port: Number(port) });
const worker = new CompatWorker(createClient(TaskHubSidecarService, transport), {});
const { token } = await worker.turn();
console.log(token);
