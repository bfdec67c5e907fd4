package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// How long something that must come may take: less than a test.
const patience = 40 * time.Second

// Places where activities stop until they are let go on; they know their names only.
type gates struct {
	mutex sync.Mutex
	latch map[string]chan struct{}
}

var (
	reached = &gates{latch: map[string]chan struct{}{}}
	opened  = &gates{latch: map[string]chan struct{}{}}
)

func newGate() string {
	return "gate-" + uuid.NewString()
}

// An activity.
func passGate(name string) (any, error) {
	reached.release(name)
	if err := opened.await(name); err != nil {
		return nil, err
	}
	return name, nil
}

func waitUntilReached(name string) {
	must(reached.await(name))
}

func openGate(name string) {
	opened.release(name)
}

// Commands for those who stand at gates from outside.
func (area *Area) gateCommands() {
	area.command("reached", func(_ *Hub, given []value) any {
		waitUntilReached(textOf(given[0]))
		return nil
	})
	area.command("openGate", func(_ *Hub, given []value) any {
		openGate(textOf(given[0]))
		return nil
	})
}

func (gates *gates) of(name string) chan struct{} {
	if gates.latch[name] == nil {
		gates.latch[name] = make(chan struct{})
	}
	return gates.latch[name]
}

func (gates *gates) release(name string) {
	gates.mutex.Lock()
	defer gates.mutex.Unlock()
	latch := gates.of(name)
	select {
	case <-latch:
	default:
		close(latch)
	}
}

func (gates *gates) await(name string) error {
	gates.mutex.Lock()
	latch := gates.of(name)
	gates.mutex.Unlock()
	select {
	case <-latch:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("nothing has come at %s", name)
	}
}
