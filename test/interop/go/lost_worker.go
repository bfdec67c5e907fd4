package main

import "github.com/microsoft/durabletask-go/task"

// Work that stops at gates, for a worker that is killed there, and one that goes on.
func lostWorker() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	orchestrator(area, "passesTwo", func(context Context, given []string) (any, error) {
		var passed []string
		for _, gate := range given {
			through, err := await[string](callActivity(context, "passGate", gate))
			if err != nil {
				return nil, err
			}
			passed = append(passed, through)
		}
		return passed, nil
	})
	// Its second turn waits for something else than a task, as no orchestrator should.
	orchestrator(area, "stopsInItsTurn",
		func(context Context, given string) (any, error) {
			passed, err := await[string](
				context.CallActivity("passGate", task.WithActivityInput("open")))
			if err != nil {
				return nil, err
			}
			through, err := passGate(given)
			return []any{passed, through}, err
		})
	area.command("start", func(hub *Hub, given []value) any {
		return hub.start(textOf(given[0]), given[1])
	})
	area.command("completed",
		func(hub *Hub, given []value) any { return hub.completed(textOf(given[0])) })
	area.gateCommands()
	return area
}
