// A worker and a client of the published durabletask-go that run what they are told.
//
//	scenarios AREA ADDRESS TASK_HUB
//
// Each line of standard input is `[number, name, ...arguments]` in JSON: a scenario of the area, or
// a command of it. They run side by side. Each is answered with one line in JSON: its number, and
// its `result` or its `error`. The program ends with its input.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"sync"
)

// No scenario is given an argument that is longer.
const lineBytesMax = 16 << 20

var areas = map[string]func() *Area{
	"activities":      activities,
	"children":        children,
	"continue-as-new": continueAsNew,
	"control":         control,
	"events":          events,
	"instances":       instances,
	"lost-worker":     lostWorker,
	"payloads":        payloads,
	"rewind":          rewind,
	"suspension":      suspension,
	"workers":         workers,
}

type answer struct {
	Number json.RawMessage `json:"number"`
	Result any             `json:"result"`
	Error  string          `json:"error,omitempty"`
}

func main() {
	// The SDK says of each call what it does.
	log.SetOutput(io.Discard)
	area := areas[os.Args[1]]()
	hub := newHub(os.Args[2], os.Args[3])
	if len(area.orchestrators) > 0 {
		hub.work(area)
	}
	var writing sync.Mutex
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var request []json.RawMessage
		must(json.Unmarshal(lines.Bytes(), &request))
		go func() {
			answer := answerTo(area, hub, request)
			writing.Lock()
			defer writing.Unlock()
			must(answers.Encode(answer))
		}()
	}
	must(lines.Err())
}

func answerTo(area *Area, hub *Hub, request []json.RawMessage) (answer answer) {
	answer.Number = request[0]
	defer func() {
		if reason := recover(); reason != nil {
			answer.Error = fmt.Sprintf("%v\n%s", reason, debug.Stack())
		}
	}()
	name := textOf(request[1])
	run, found := area.asked[name]
	if !found {
		panic("there is nothing called " + name)
	}
	answer.Result = run(hub, request[2:])
	return answer
}
