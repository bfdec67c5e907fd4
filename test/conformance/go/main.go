// Serves the sidecar of the Go module durabletask-go as its own program does, whose package cannot be
// installed by name everywhere:
//
//	go build -C test/conformance/go -o FILE . && FILE -port 4001 -db FOLDER/hub.sqlite
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/microsoft/durabletask-go/backend"
	"github.com/microsoft/durabletask-go/backend/sqlite"
	"google.golang.org/grpc"
)

func main() {
	port := flag.Int("port", 4001, "where it listens, on localhost")
	file := flag.String("db", "", "the SQLite file, which is made if it is not there")
	flag.Parse()
	logger := backend.DefaultLogger()
	store := sqlite.NewSqliteBackend(sqlite.NewSqliteOptions(*file), logger)
	executor, register := backend.NewGrpcExecutor(store, logger)
	server := grpc.NewServer()
	register(server)
	hub := backend.NewTaskHubWorker(
		store,
		backend.NewOrchestrationWorker(store, executor, logger),
		backend.NewActivityTaskWorker(store, executor, logger),
		logger,
	)
	if err := hub.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}
