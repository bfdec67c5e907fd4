import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { HubError } from "../foundation/errors.ts";
import {
  Health,
  HealthCheckResponse_ServingStatusSchema as WireStatus,
} from "../wire/gen/grpc/health/v1/health_pb.ts";

/**
 * Asks a server for the status of one of its services: "SERVING", "NOT_SERVING", …
 *
 * @param address `host:port`
 * @throws HubError "unavailable": nobody listens there, the service is not known, the deadline
 * passed
 */
export async function checkHealth(
  address: string,
  service: string,
  deadline: Date,
): Promise<string> {
  const { input, output } = Health.method.check;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const client = new Client(address, credentials.createInsecure());
  client.makeUnaryRequest(
    `/${Health.typeName}/${Health.method.check.name}`,
    (request: string) => Buffer.from(toBinary(input, create(input, { service: request }))),
    (bytes: Buffer) => WireStatus.value[fromBinary(output, bytes).status]?.name,
    service,
    new Metadata(),
    { deadline },
    (error, status) => (error === null ? resolve(status ?? "UNKNOWN") : reject(unanswered(error))),
  );
  try {
    return await promise;
  } finally {
    client.close();
  }
}

function unanswered(error: ServiceError): HubError {
  return new HubError("unavailable", error.details, { cause: error });
}
