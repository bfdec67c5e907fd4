package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/microsoft/durabletask-go/api"
)

// States, histories, ids, purges.
func instances() *Area {
	area := newArea()
	activity(area, "addOne", func(given int) (any, error) { return given + 1, nil })
	orchestrator(area, "empty",
		func(Context, value) (any, error) { return "done", nil })
	orchestrator(area, "broken", func(Context, value) (any, error) {
		return nil, errors.New("out of order")
	})
	orchestrator(area, "startedAt", func(context Context, _ value) (any, error) {
		return context.CurrentTimeUtc, nil
	})
	orchestrator(area, "listens", waitsForGo)
	orchestrator(area, "callsEachOnce", callsEachOnce)
	replays(area)
	reads(area)
	starts(area)
	waits(area)
	purges(area)
	return area
}

func callsEachOnce(context Context, _ value) (any, error) {
	if err := callActivity(context, "addOne", 1).Await(nil); err != nil {
		return nil, err
	}
	if err := context.CreateTimer(10 * time.Millisecond).Await(nil); err != nil {
		return nil, err
	}
	return outputOf(await[value](context.CallSubOrchestrator("empty")))
}

func replays(area *Area) {
	var seen []string
	activity(area, "echo", func(given value) (any, error) { return given, nil })
	orchestrator(area, "looksAround", func(context Context, _ value) (any, error) {
		seen = append(seen, fmt.Sprintf("start %t", context.IsReplaying))
		err := callActivity(context, "echo", 1).Await(nil)
		seen = append(seen, fmt.Sprintf("end %t", context.IsReplaying))
		return "done", err
	})
	area.scenario("an orchestrator is told what is replayed", func(hub *Hub) any {
		hub.outputOf("looksAround", nil)
		return seen
	})
}

func reads(area *Area) {
	area.scenario("the history of an activity, a timer and a child has exactly twelve events",
		func(hub *Hub) any { return hub.run("callsEachOnce", nil) })
	area.scenario("an unknown instance has no state",
		func(hub *Hub) any { return hub.state(newID("nobody")) })
}

func starts(area *Area) {
	area.scenario("starting an instance that is running is ALREADY_EXISTS", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		refused := refusal(hub.tryStart("empty", nil, instanceID))
		hub.raise(instanceID, "go", 1)
		return object{"refused": refused, "state": hub.completed(instanceID)}
	})
	area.scenario("starting a completed, failed or terminated instance again replaces it",
		func(hub *Hub) any {
			instanceID := newID("again")
			hub.completed(hub.startAs(instanceID, "broken", nil))
			hub.completed(hub.startAs(instanceID, "empty", 1))
			hub.started(hub.startAs(instanceID, "listens", nil))
			must(hub.terminate(instanceID, api.WithOutput("ended")))
			hub.completed(instanceID)
			return hub.completed(hub.startAs(instanceID, "empty", 2))
		})
	area.command("startAgain", func(hub *Hub, given []value) any {
		policy := api.OrchestrationIdReusePolicy{
			Action:          api.CreateOrchestrationAction(read[int32](given[1])),
			OperationStatus: read[[]api.OrchestrationStatus](given[2]),
		}
		instanceID := hub.startAndWait(textOf(given[0]), 1)
		err := hub.tryStart("empty", 2, instanceID, api.WithOrchestrationIdReusePolicy(&policy))
		hub.raise(instanceID, "go", "alive")
		state := hub.completed(instanceID)
		if err != nil {
			return object{"refused": refusal(err), "state": state}
		}
		return object{"refused": nil, "state": state}
	})
	area.scenario("an orchestration does not start before its scheduled time", func(hub *Hub) any {
		startAt := time.Now().Add(1500 * time.Millisecond)
		instanceID := hub.startAs(newID("scheduled"), "startedAt", nil, api.WithStartTime(startAt))
		status := hub.status(instanceID)
		return object{"startAt": startAt, "status": status, "state": hub.completed(instanceID)}
	})
}

func waits(area *Area) {
	area.scenario("a wait begun before the instance exists ends with the instance",
		func(hub *Hub) any {
			instanceID := newID("later")
			seen := make(chan object)
			go func() { seen <- hub.completed(instanceID) }()
			hub.startAs(instanceID, "empty", nil)
			return []object{<-seen}
		})
	area.scenario("a wait that is given up does not disturb the instance", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		waits := hub.doesNotComplete(instanceID, never)
		hub.raise(instanceID, "go", 1)
		return object{"waits": waits, "state": hub.completed(instanceID)}
	})
}

func purges(area *Area) {
	area.scenario("a purged instance is gone and its id is free", func(hub *Hub) any {
		instanceID := hub.run("empty", nil)["instanceId"].(string)
		must(hub.purge(instanceID))
		state := hub.state(instanceID)
		again := hub.completed(hub.startAs(instanceID, "empty", 3))
		return object{"state": state, "again": again}
	})
	// The SDK tells of a purge that found nothing in an error of its own.
	area.scenario("a running or an unknown instance is not purged", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		var refused []string
		for _, each := range []string{instanceID, newID("nobody")} {
			refused = append(refused, hub.purge(each).Error())
		}
		hub.raise(instanceID, "go", "alive")
		return object{"refused": refused, "state": hub.completed(instanceID)}
	})
}
