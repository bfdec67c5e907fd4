/** What grpc-js says by itself to callers, in words and codes of ours. */
import {
  Metadata,
  type ServerInterceptingCall,
  type ServerInterceptor,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { RETRY_AFTER, type RpcStatus, rpcStatus } from "./error-mapping.ts";

/** Marks the statuses that our methods have ended with. */
class OurTrailers extends Metadata {
  override clone(): OurTrailers {
    const copy = new OurTrailers();
    copy.merge(this);
    return copy;
  }
}

/** A status in the form that grpc-js sends. */
export type GrpcStatus = Pick<StatusObject, "code" | "details" | "metadata">;

export function grpcStatus({ code, details, retryAfterMs }: RpcStatus): GrpcStatus {
  const metadata = new OurTrailers();
  if (retryAfterMs !== undefined) metadata.set(RETRY_AFTER, String(retryAfterMs));
  return { code, details, metadata };
}

/**
 * Corrects the statuses that grpc-js makes up when a request cannot be read: it says INTERNAL,
 * which workers retry, and speaks of itself. It sends them by the method of the call that its own
 * code and interceptors share.
 */
export function inOurWords(receiveBytesMax: number): ServerInterceptor {
  return (_method, call) => {
    const send = call.sendStatus.bind(call);
    call.sendStatus = (sent) => {
      const { code, metadata } = sent;
      const isOurs = code === status.OK || metadata instanceof OurTrailers;
      if (isOurs) send(sent);
      else send({ ...sent, ...grpcStatus(corrected(code, receiveBytesMax)) });
    };
    // An interceptor may give back the call that it was given; only its declared type is narrower.
    return call as ServerInterceptingCall;
  };
}

function corrected(code: status, receiveBytesMax: number): RpcStatus {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return rpcStatus(code, `the request is larger than ${receiveBytesMax} bytes`);
    case status.UNIMPLEMENTED:
      return rpcStatus(code, "the request must be one message, compressed with gzip or not at all");
    case status.DEADLINE_EXCEEDED:
      return rpcStatus(code, "the deadline of the call has passed");
    case status.CANCELLED:
      return rpcStatus(code, "the call was cancelled");
    default:
      return rpcStatus(status.INVALID_ARGUMENT, "the request cannot be read");
  }
}
