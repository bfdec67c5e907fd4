/**
 * Calls of the compatible service with finished bytes, so that the load costs as little as it can.
 */
import { Client, type ClientReadableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

type MethodName = keyof typeof TaskHubSidecarService.method;

/** One connection to a sidecar. */
export class RawCalls {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
    });
  }

  unary(method: MethodName, request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null, answer?: Buffer) => {
        if (answer === undefined) reject(error);
        else resolve(answer);
      };
      this.#client.makeUnaryRequest(pathOf(method), asItIs, asItIs, request, answered);
    });
  }

  stream(method: MethodName, request: Buffer): ClientReadableStream<Buffer> {
    return this.#client.makeServerStreamRequest(pathOf(method), asItIs, asItIs, request);
  }

  close(): void {
    this.#client.close();
  }
}

const paths = new Map<MethodName, string>();

function pathOf(method: MethodName): string {
  let path = paths.get(method);
  if (path === undefined) {
    path = `/${TaskHubSidecarService.typeName}/${TaskHubSidecarService.method[method].name}`;
    paths.set(method, path);
  }
  return path;
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}
