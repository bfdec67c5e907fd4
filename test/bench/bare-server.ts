/**
 * A grpc-js server with nothing behind it, for calibration: what the same machine pays, in the same
 * run, for one unary call and for one streamed message.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { answerCommands } from "./load-process.ts";

const STREAMED_MESSAGES = 50_000;
const message = Buffer.alloc(200, "x");
const asItIs = (bytes: Buffer) => bytes;

const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(
  { hello: methodAt("Hello", false), stream: methodAt("StreamInstanceHistory", true) },
  {
    hello: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      fromBinary(EmptySchema, call.request);
      callback(null, Buffer.from(toBinary(EmptySchema, create(EmptySchema))));
    },
    stream: (call: ServerWritableStream<Buffer, Buffer>) => {
      let left = STREAMED_MESSAGES;
      const send = () => {
        while (left > 0) {
          left -= 1;
          if (!call.write(message)) break;
        }
        if (left > 0) call.once("drain", send);
        else call.end();
      };
      send();
    },
  },
);

answerCommands<object, number>(
  () =>
    new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    }),
);

function methodAt(name: string, responseStream: boolean) {
  return {
    path: `/TaskHubSidecarService/${name}`,
    requestStream: false,
    responseStream,
    requestDeserialize: asItIs,
    requestSerialize: asItIs,
    responseDeserialize: asItIs,
    responseSerialize: asItIs,
  };
}
