// Suspends an order that waits for its approval, approves it meanwhile, and watches it to its end.
// Arguments: address, task hub, instance id.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	taskhubv1 "orders/gen/taskhub/v1"
)

func main() {
	address, hub, order := os.Args[1], os.Args[2], os.Args[3]
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	connection, err := grpc.NewClient(address, plaintext)
	if err != nil {
		log.Fatal(err)
	}
	client := taskhubv1.NewClientServiceClient(connection)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "taskhub", hub)
	if err := holdAndApprove(ctx, client, order); err != nil {
		log.Fatal(err)
	}
}

func holdAndApprove(ctx context.Context, client taskhubv1.ClientServiceClient, order string) error {
	_, err := client.SuspendInstance(ctx, &taskhubv1.SuspendInstanceRequest{
		InstanceId:   order,
		Name:         "lunch",
		Reason:       proto.String("back soon"),
		ExpiresAfter: durationpb.New(time.Hour),
	})
	if err != nil {
		return err
	}

	changes, err := client.WatchInstance(ctx, &taskhubv1.WatchInstanceRequest{InstanceId: order})
	if err != nil {
		return err
	}
	snapshot, err := changes.Recv() // As it is now; all that follow are changes.
	if err != nil {
		return err
	}
	show(snapshot.GetInstance())

	progress, err := client.GetCustomStatus(ctx, &taskhubv1.GetCustomStatusRequest{
		InstanceId: order,
	})
	if err != nil {
		return err
	}
	fmt.Println("revision", progress.GetRevision(), "held:", progress.GetHolds()[0].GetReason())

	_, err = client.RaiseEvent(ctx, &taskhubv1.RaiseEventRequest{
		InstanceId: order,
		Name:       "Approval",
		Input:      proto.String(`{"approved":true,"by":"Ann"}`),
	})
	if err != nil {
		return err
	}
	_, err = client.ResumeInstance(ctx, &taskhubv1.ResumeInstanceRequest{
		InstanceId: order,
		Name:       "lunch",
	})
	if err != nil {
		return err
	}
	for {
		change, err := changes.Recv()
		if errors.Is(err, io.EOF) {
			return nil // It has finished.
		}
		if err != nil {
			return err
		}
		show(change.GetInstance())
	}
}

func show(instance *taskhubv1.Instance) {
	fmt.Println(instance.GetStatus(), instance.GetCustomStatus().GetValue())
}
