package main

import "github.com/microsoft/durabletask-go/task"

type gathering struct {
	Gates []string `json:"gates"`
	Items []value  `json:"items"`
}

// Orchestrations that are held, by the SDK's client or from outside.
func suspension() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	orchestrator(area, "gathers", gathers)
	orchestrator(area, "listens", waitsForGo)
	orchestrator(area, "callsListening",
		func(context Context, given string) (any, error) {
			return outputOf(await[value](
				context.CallSubOrchestrator("listens", task.WithSubOrchestrationInstanceID(given))))
		})
	area.command("start", func(hub *Hub, given []value) any {
		var input any
		if len(given) > 2 {
			input = given[2]
		}
		return hub.startAs(textOf(given[1]), textOf(given[0]), input)
	})
	area.command("startRefused", func(hub *Hub, given []value) any {
		return refusal(hub.tryStart(textOf(given[0]), nil, textOf(given[1])))
	})
	area.command("started",
		func(hub *Hub, given []value) any { return hub.started(textOf(given[0])) })
	area.command("status",
		func(hub *Hub, given []value) any { return hub.status(textOf(given[0])) })
	area.command("completed",
		func(hub *Hub, given []value) any { return hub.completed(textOf(given[0])) })
	area.command("raiseEvent", func(hub *Hub, given []value) any {
		hub.raise(textOf(given[0]), textOf(given[1]), given[2])
		return nil
	})
	area.command("suspend", func(hub *Hub, given []value) any {
		must(hub.suspend(textOf(given[0])))
		return nil
	})
	area.command("resume", func(hub *Hub, given []value) any {
		must(hub.resume(textOf(given[0])))
		return nil
	})
	area.gateCommands()
	return area
}

// Each generation waits for an activity and an event; the last returns what all have got.
func gathers(context Context, given gathering) (any, error) {
	passed, err := await[value](
		callActivity(context, "passGate", given.Gates[0]))
	if err != nil {
		return nil, err
	}
	item, err := await[value](context.WaitForSingleEvent("item", -1))
	if err != nil {
		return nil, err
	}
	following := gathering{Gates: given.Gates[1:], Items: append(given.Items, passed, item)}
	if len(following.Gates) > 0 {
		context.ContinueAsNew(following, task.WithKeepUnprocessedEvents())
	}
	return following.Items, nil
}
