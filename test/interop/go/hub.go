package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/microsoft/durabletask-go/api"
	"github.com/microsoft/durabletask-go/backend"
	"github.com/microsoft/durabletask-go/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// How long something that must not happen is waited for.
const never = 300 * time.Millisecond

// More than the 4 MiB that gRPC takes if nothing is said: the connection is the user's.
const messageBytesMax = 64 << 20

var wordEnd = regexp.MustCompile("([a-z])([A-Z])")

// What scenarios work with: a client of one task hub, and facts in JSON about what it has seen.
type Hub struct {
	address string
	taskHub string
	client  *client.TaskHubGrpcClient
	stops   []func()
}

func newHub(address, taskHub string) *Hub {
	hub := &Hub{address: address, taskHub: taskHub}
	connection, sdk := hub.connect()
	hub.client = sdk
	hub.stops = append(hub.stops, func() { connection.Close() })
	return hub
}

// A task hub that nobody else knows, without workers.
func (hub *Hub) alone() *Hub {
	return newHub(hub.address, newID("hub"))
}

func (hub *Hub) close() {
	for _, stop := range hub.stops {
		stop()
	}
}

func (hub *Hub) connect() (*grpc.ClientConn, *client.TaskHubGrpcClient) {
	reconnect := grpc.ConnectParams{
		Backoff: backoff.Config{
			BaseDelay:  50 * time.Millisecond,
			Multiplier: 1.5,
			MaxDelay:   200 * time.Millisecond,
		},
		MinConnectTimeout: time.Second,
	}
	connection, err := grpc.Dial(
		hub.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A call before the sidecar listens waits for it.
		grpc.WithDefaultCallOptions(
			grpc.WaitForReady(true),
			grpc.MaxCallRecvMsgSize(messageBytesMax),
		),
		grpc.WithConnectParams(reconnect),
		grpc.WithUnaryInterceptor(func(
			ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
			invoke grpc.UnaryInvoker, options ...grpc.CallOption,
		) error {
			return invoke(hub.header(ctx), method, request, reply, connection, options...)
		}),
		grpc.WithStreamInterceptor(func(
			ctx context.Context, stream *grpc.StreamDesc, connection *grpc.ClientConn,
			method string, open grpc.Streamer, options ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return open(hub.header(ctx), stream, connection, method, options...)
		}),
	)
	must(err)
	return connection, client.NewTaskHubGrpcClient(connection, backend.DefaultLogger())
}

func (hub *Hub) header(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "taskhub", hub.taskHub)
}

// Starts a worker on a connection of its own, and waits until it is connected. It returns how the
// worker is stopped.
func (hub *Hub) work(area *Area) func() {
	connection, sdk := hub.connect()
	ctx, cancel := context.WithCancel(context.Background())
	must(sdk.StartWorkItemListener(ctx, area.registry()))
	stop := func() {
		cancel()
		connection.Close()
	}
	hub.stops = append(hub.stops, stop)
	return stop
}

// An instance id that no other scenario uses.
func newID(name string) string {
	return name + "-" + uuid.NewString()
}

func inTime(wait time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), wait)
}

func (hub *Hub) tryStart(
	name string, given any, instanceID string, options ...api.NewOrchestrationOptions,
) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	options = append(options, api.WithInstanceID(api.InstanceID(instanceID)))
	if given != nil {
		options = append(options, api.WithInput(given))
	}
	_, err := hub.client.ScheduleNewOrchestration(ctx, name, options...)
	return err
}

func (hub *Hub) startAs(
	instanceID, name string, given any, options ...api.NewOrchestrationOptions,
) string {
	must(hub.tryStart(name, given, instanceID, options...))
	return instanceID
}

func (hub *Hub) start(name string, given any) string {
	return hub.startAs(newID(name), name, given)
}

// Starts an orchestration and waits for the end of its first turn.
func (hub *Hub) startAndWait(name string, given any) string {
	instanceID := hub.start(name, given)
	hub.started(instanceID)
	return instanceID
}

func (hub *Hub) started(instanceID string) object {
	ctx, cancel := inTime(patience)
	defer cancel()
	return facts(hub.client.WaitForOrchestrationStart(ctx, api.InstanceID(instanceID)))
}

func (hub *Hub) completed(instanceID string) object {
	ctx, cancel := inTime(patience)
	defer cancel()
	return facts(hub.client.WaitForOrchestrationCompletion(ctx, api.InstanceID(instanceID)))
}

// Starts an orchestration and waits for its end.
func (hub *Hub) run(name string, given any) object {
	return hub.completed(hub.start(name, given))
}

// Runs an orchestration that must complete.
func (hub *Hub) outputOf(name string, given any) value {
	state := hub.run(name, given)
	if state["status"] != "COMPLETED" {
		panic(fmt.Sprintf("it has not completed: %v", state))
	}
	if text, found := state["output"].(string); found {
		return value(text)
	}
	return value("null")
}

func (hub *Hub) state(instanceID string, options ...api.FetchOrchestrationMetadataOptions) object {
	ctx, cancel := inTime(patience)
	defer cancel()
	return facts(hub.client.FetchOrchestrationMetadata(ctx, api.InstanceID(instanceID), options...))
}

func (hub *Hub) status(instanceID string) string {
	return hub.state(instanceID)["status"].(string)
}

// Waits a little for something that does not happen.
func (hub *Hub) doesNotComplete(instanceID string, wait time.Duration) bool {
	ctx, cancel := inTime(wait)
	defer cancel()
	_, err := hub.client.WaitForOrchestrationCompletion(ctx, api.InstanceID(instanceID))
	// The sidecar knows the deadline too, and may be the first to tell.
	told, _ := status.FromError(err)
	return errors.Is(err, context.DeadlineExceeded) || told.Code() == codes.DeadlineExceeded
}

func (hub *Hub) tryRaise(instanceID, name string, options ...api.RaiseEventOptions) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	return hub.client.RaiseEvent(ctx, api.InstanceID(instanceID), name, options...)
}

func (hub *Hub) raise(instanceID, name string, data any) {
	must(hub.tryRaise(instanceID, name, api.WithEventPayload(data)))
}

func (hub *Hub) suspend(instanceID string) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	return hub.client.SuspendOrchestration(ctx, api.InstanceID(instanceID), "lunch")
}

func (hub *Hub) resume(instanceID string) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	return hub.client.ResumeOrchestration(ctx, api.InstanceID(instanceID), "back")
}

func (hub *Hub) terminate(instanceID string, options ...api.TerminateOptions) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	return hub.client.TerminateOrchestration(ctx, api.InstanceID(instanceID), options...)
}

func (hub *Hub) purge(instanceID string) error {
	ctx, cancel := inTime(patience)
	defer cancel()
	return hub.client.PurgeOrchestrationState(ctx, api.InstanceID(instanceID))
}

// How a call that must fail has failed: by a status of gRPC.
func refusal(err error) object {
	if err == nil {
		panic("it was not refused")
	}
	told, found := status.FromError(err)
	if !found {
		panic(err)
	}
	// "NotFound" as the other languages have it: "NOT_FOUND".
	code := strings.ToUpper(wordEnd.ReplaceAllString(told.Code().String(), "${1}_${2}"))
	return object{"code": code, "details": told.Message()}
}

// An orchestration's state as the SDK gives it, or nil. It reads absent texts as empty ones.
func facts(state *api.OrchestrationMetadata, err error) object {
	if errors.Is(err, api.ErrInstanceNotFound) {
		return nil
	}
	must(err)
	text, err := json.Marshal(state)
	must(err)
	return object{
		"instanceId":    string(state.InstanceID),
		"name":          state.Name,
		"status":        read[struct{ Status string }](text).Status,
		"input":         textOrNil(state.SerializedInput),
		"output":        textOrNil(state.SerializedOutput),
		"customStatus":  textOrNil(state.SerializedCustomStatus),
		"failure":       state.FailureDetails,
		"createdAt":     state.CreatedAt,
		"lastUpdatedAt": state.LastUpdatedAt,
	}
}

func textOrNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}
