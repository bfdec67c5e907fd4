package main

import (
	"time"

	"github.com/microsoft/durabletask-go/api"
	"github.com/microsoft/durabletask-go/task"
)

// Suspension, resumption and termination by the SDK's client.
func control() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	orchestrator(area, "empty",
		func(Context, value) (any, error) { return "done", nil })
	orchestrator(area, "listens", waitsForGo)
	orchestrator(area, "collects", collects)
	orchestrator(area, "collectsAnew", collectsOneByOne)
	orchestrator(area, "passes", func(context Context, given string) (any, error) {
		return outputOf(await[value](
			callActivity(context, "passGate", given)))
	})
	orchestrator(area, "naps", func(context Context, _ value) (any, error) {
		return "rested", context.CreateTimer(2 * time.Second).Await(nil)
	})
	orchestrator(area, "callsTwo", func(context Context, given []string) (any, error) {
		var both []task.Task
		for _, instanceID := range given {
			both = append(both, context.CallSubOrchestrator("listens",
				task.WithSubOrchestrationInstanceID(instanceID)))
		}
		return awaitAll[value](both)
	})
	suspended(area)
	buffered(area)
	unchanged(area)
	terminated(area)
	families(area)
	return area
}

func collects(context Context, given int) (any, error) {
	received := []value{}
	for len(received) < given {
		item, err := await[value](context.WaitForSingleEvent("item", -1))
		if err != nil {
			return nil, err
		}
		received = append(received, item)
	}
	return received, nil
}

func suspended(area *Area) {
	area.scenario("an event raised while suspended is delivered after the resume, not before",
		func(hub *Hub) any {
			instanceID := hub.startAndWait("listens", nil)
			must(hub.suspend(instanceID))
			before := hub.status(instanceID)
			hub.raise(instanceID, "go", 5)
			waits := hub.doesNotComplete(instanceID, never)
			statuses := []string{before, hub.status(instanceID)}
			must(hub.resume(instanceID))
			return object{"statuses": statuses, "waits": waits, "state": hub.completed(instanceID)}
		})
	area.scenario("a resumed orchestration that waits is running", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		must(hub.suspend(instanceID))
		must(hub.resume(instanceID))
		return hub.status(instanceID)
	})
	area.scenario(
		"the history shows one suspension and one resumption, however often they are asked for",
		func(hub *Hub) any {
			instanceID := hub.startAndWait("listens", nil)
			must(hub.resume(instanceID))
			must(hub.suspend(instanceID))
			must(hub.suspend(instanceID))
			must(hub.resume(instanceID))
			must(hub.resume(instanceID))
			hub.raise(instanceID, "go", nil)
			return hub.completed(instanceID)
		})
}

func buffered(area *Area) {
	area.scenario("events raised while suspended keep their order", func(hub *Hub) any {
		instanceID := hub.start("collects", 3)
		hub.raise(instanceID, "item", 1)
		must(hub.suspend(instanceID))
		hub.raise(instanceID, "item", 2)
		hub.raise(instanceID, "item", 3)
		must(hub.resume(instanceID))
		return hub.completed(instanceID)
	})
	area.scenario("an activity's result that comes while suspended is used after the resume",
		func(hub *Hub) any {
			gate := newGate()
			instanceID := hub.start("passes", gate)
			waitUntilReached(gate)
			must(hub.suspend(instanceID))
			openGate(gate)
			waits := hub.doesNotComplete(instanceID, never)
			must(hub.resume(instanceID))
			return object{"gate": gate, "waits": waits, "state": hub.completed(instanceID)}
		})
	area.scenario("a timer that fires while suspended is used after the resume",
		func(hub *Hub) any {
			instanceID := hub.startAndWait("naps", nil)
			must(hub.suspend(instanceID))
			waits := hub.doesNotComplete(instanceID, 2500*time.Millisecond)
			must(hub.resume(instanceID))
			return object{"waits": waits, "state": hub.completed(instanceID)}
		})
	area.scenario("events of a storm are each consumed once while it is suspended and resumed",
		func(hub *Hub) any {
			instanceID := hub.start("collectsAnew", collecting{Wanted: 60})
			raised := make(chan struct{})
			go func() {
				defer close(raised)
				atOnce(60, func(i int) { hub.raise(instanceID, "item", i) })
			}()
			for range 10 {
				must(hub.suspend(instanceID))
				must(hub.resume(instanceID))
			}
			<-raised
			return hub.completed(instanceID)
		})
}

func unchanged(area *Area) {
	area.scenario("suspending, resuming or terminating a completed orchestration changes nothing",
		func(hub *Hub) any {
			before := hub.run("empty", nil)
			instanceID := before["instanceId"].(string)
			must(hub.suspend(instanceID))
			must(hub.resume(instanceID))
			must(hub.terminate(instanceID, api.WithOutput("too late")))
			return object{"before": before, "after": hub.state(instanceID)}
		})
	area.scenario("suspending, resuming or terminating an unknown instance is NOT_FOUND",
		func(hub *Hub) any {
			instanceID := newID("nobody")
			return []object{
				refusal(hub.suspend(instanceID)),
				refusal(hub.resume(instanceID)),
				refusal(hub.terminate(instanceID)),
			}
		})
}

func terminated(area *Area) {
	area.scenario("a running orchestration is terminated with the output it is given",
		func(hub *Hub) any {
			instanceID := hub.startAndWait("listens", nil)
			must(hub.terminate(instanceID, api.WithOutput(object{"reason": "enough"})))
			return hub.completed(instanceID)
		})
	area.scenario("the first of two terminations wins", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		must(hub.terminate(instanceID, api.WithOutput("first")))
		must(hub.terminate(instanceID, api.WithOutput("second")))
		return hub.completed(instanceID)
	})
	area.scenario("a suspended orchestration is terminated", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", nil)
		must(hub.suspend(instanceID))
		must(hub.terminate(instanceID, api.WithOutput("stopped")))
		return hub.completed(instanceID)
	})
	area.scenario("an orchestration that waits for an activity is terminated at once",
		func(hub *Hub) any {
			gate := newGate()
			instanceID := hub.start("passes", gate)
			waitUntilReached(gate)
			must(hub.terminate(instanceID))
			before := hub.completed(instanceID)
			openGate(gate)
			hub.run("empty", nil)
			return object{"before": before, "after": hub.state(instanceID)}
		})
	area.scenario("an orchestration that no worker has seen is suspended, resumed and terminated",
		func(hub *Hub) any {
			other := hub.alone()
			defer other.close()
			instanceID := other.start("empty", nil)
			statuses := []string{other.status(instanceID)}
			must(other.suspend(instanceID))
			statuses = append(statuses, other.started(instanceID)["status"].(string))
			must(other.resume(instanceID))
			statuses = append(statuses, other.status(instanceID))
			must(other.terminate(instanceID, api.WithOutput("never ran")))
			return object{"statuses": statuses, "state": other.completed(instanceID)}
		})
}

func families(area *Area) {
	parents := func(hub *Hub) (string, []string) {
		both := []string{newID("child"), newID("child")}
		parent := hub.start("callsTwo", both)
		for _, child := range both {
			hub.started(child)
		}
		return parent, both
	}
	area.scenario("a recursive termination ends the children too", func(hub *Hub) any {
		parent, both := parents(hub)
		must(hub.terminate(parent, api.WithOutput("all of you"), api.WithRecursiveTerminate(true)))
		states := []object{hub.completed(parent)}
		for _, child := range both {
			states = append(states, hub.completed(child))
		}
		return states
	})
	area.scenario("a termination that is not recursive leaves the children running",
		func(hub *Hub) any {
			parent, both := parents(hub)
			onlyIt := api.WithRecursiveTerminate(false)
			must(hub.terminate(parent, api.WithOutput("only you"), onlyIt))
			var statuses []string
			var states []object
			for _, child := range both {
				statuses = append(statuses, hub.status(child))
			}
			for _, child := range both {
				hub.raise(child, "go", "on")
				states = append(states, hub.completed(child))
			}
			return object{"parent": hub.completed(parent), "statuses": statuses, "children": states}
		})
}
