// Builds the scenarios with the pinned module, or waits for somebody who does.
//
//	go run ./prepare BINARY
//
// BINARY is a file that exists, complete, when this ends with 0. Several processes may ask for it
// at once: the first one makes it.
package main

import (
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func main() {
	binary := os.Args[1]
	must(os.MkdirAll(filepath.Dir(binary), 0o755))
	lock, err := os.Create(filepath.Join(filepath.Dir(binary), "go.lock"))
	must(err)
	// The system lets go of it when this process ends, however it ends.
	must(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	if _, err := os.Stat(binary); err == nil {
		return
	}
	unfinished := binary + ".unfinished"
	// It waits more than it computes: without optimizations it is there a third sooner.
	build := exec.Command(
		"go", "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", unfinished, ".",
	)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout = os.Stderr
	build.Stderr = os.Stderr
	must(build.Run())
	must(os.Rename(unfinished, binary))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
