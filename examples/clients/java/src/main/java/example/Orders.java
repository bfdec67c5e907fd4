package example;

import com.google.protobuf.Duration;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.util.Iterator;
import taskhub.v1.ClientServiceGrpc;
import taskhub.v1.ClientServiceGrpc.ClientServiceBlockingStub;
import taskhub.v1.GetCustomStatusRequest;
import taskhub.v1.GetCustomStatusResponse;
import taskhub.v1.Instance;
import taskhub.v1.RaiseEventRequest;
import taskhub.v1.ResumeInstanceRequest;
import taskhub.v1.SuspendInstanceRequest;
import taskhub.v1.WatchInstanceRequest;
import taskhub.v1.WatchInstanceResponse;

/**
 * Suspends an order that waits for its approval, approves it meanwhile, and watches it to its end.
 * Arguments: address, task hub, instance id.
 */
public final class Orders {
  public static void main(String[] args) {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("taskhub", Metadata.ASCII_STRING_MARSHALLER), args[1]);
    ClientServiceBlockingStub client =
        ClientServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    try {
      holdAndApprove(client, args[2]);
    } finally {
      channel.shutdownNow();
    }
  }

  private static void holdAndApprove(ClientServiceBlockingStub client, String order) {
    client.suspendInstance(
        SuspendInstanceRequest.newBuilder()
            .setInstanceId(order)
            .setName("lunch")
            .setReason("back soon")
            .setExpiresAfter(Duration.newBuilder().setSeconds(3600))
            .build());

    Iterator<WatchInstanceResponse> changes =
        client.watchInstance(WatchInstanceRequest.newBuilder().setInstanceId(order).build());
    print(changes.next().getInstance()); // As it is now; all that follow are changes.

    GetCustomStatusResponse progress =
        client.getCustomStatus(GetCustomStatusRequest.newBuilder().setInstanceId(order).build());
    System.out.printf(
        "revision %d held: %s%n", progress.getRevision(), progress.getHolds(0).getReason());

    client.raiseEvent(
        RaiseEventRequest.newBuilder()
            .setInstanceId(order)
            .setName("Approval")
            .setInput("{\"approved\":true,\"by\":\"Ann\"}")
            .build());
    client.resumeInstance(
        ResumeInstanceRequest.newBuilder().setInstanceId(order).setName("lunch").build());
    changes.forEachRemaining(change -> print(change.getInstance())); // Until it has finished.
  }

  private static void print(Instance instance) {
    System.out.println(instance.getStatus() + " " + instance.getCustomStatus().getValue());
  }
}
