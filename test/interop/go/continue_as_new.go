package main

import (
	"sync"

	"github.com/microsoft/durabletask-go/task"
)

type collecting struct {
	Wanted   int     `json:"wanted"`
	Received []value `json:"received"`
}

// The gates of two generations; the second one has no first.
type twoGates struct {
	First  string `json:"first"`
	Second string `json:"second"`
	Keep   bool   `json:"keep"`
}

// Orchestrations that start anew.
func continueAsNew() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	activity(area, "addOne", func(given int) (any, error) { return given + 1, nil })
	counting(area)
	orchestrator(area, "collectsOneByOne", collectsOneByOne)
	orchestrator(area, "keepsEvents", keepsEvents)
	orchestrator(area, "asksTwice", asksTwice)
	generations(area)
	leftOver(area)
	return area
}

func counting(area *Area) {
	orchestrator(area, "counts", func(context Context, given int) (any, error) {
		if given < 10 {
			context.ContinueAsNew(given + 1)
		}
		return given, nil
	})
	orchestrator(area, "double",
		func(_ Context, given int) (any, error) { return given * 2, nil })
	orchestrator(area, "countsInActivities",
		func(context Context, given int) (any, error) {
			following, err := await[int](callActivity(context, "addOne", given))
			if following < 10 {
				context.ContinueAsNew(following)
			}
			return following, err
		})
	orchestrator(area, "countsInChildren",
		func(context Context, given int) (any, error) {
			following, err := await[int](
				context.CallSubOrchestrator("double", task.WithSubOrchestratorInput(given)))
			if following < 1024 {
				context.ContinueAsNew(following)
			}
			return following, err
		})
	orchestrator(area, "callsCounting", func(context Context, _ value) (any, error) {
		return outputOf(await[value](
			context.CallSubOrchestrator("counts", task.WithSubOrchestratorInput(1))))
	})
}

func collectsOneByOne(context Context, given collecting) (any, error) {
	item, err := await[value](context.WaitForSingleEvent("item", -1))
	given.Received = append(given.Received, item)
	if len(given.Received) < given.Wanted {
		context.ContinueAsNew(given, task.WithKeepUnprocessedEvents())
	}
	return given.Received, err
}

func keepsEvents(context Context, given twoGates) (any, error) {
	if given.First == "" {
		if err := callActivity(context, "passGate", given.Second).Await(nil); err != nil {
			return nil, err
		}
		return outputOf(await[value](context.WaitForSingleEvent("item", -1)))
	}
	if err := callActivity(context, "passGate", given.First).Await(nil); err != nil {
		return nil, err
	}
	if err := context.WaitForSingleEvent("ready", -1).Await(nil); err != nil {
		return nil, err
	}
	var options []task.ContinueAsNewOption
	if given.Keep {
		options = append(options, task.WithKeepUnprocessedEvents())
	}
	context.ContinueAsNew(twoGates{Second: given.Second}, options...)
	return nil, nil
}

func asksTwice(context Context, given twoGates) (any, error) {
	if given.First == "" {
		return outputOf(await[value](
			callActivity(context, "passGate", given.Second)))
	}
	callActivity(context, "passGate", given.First)
	err := context.WaitForSingleEvent("restart", -1).Await(nil)
	context.ContinueAsNew(twoGates{Second: given.Second})
	return nil, err
}

func generations(area *Area) {
	area.scenario("an orchestration starts anew ten times, and its last input is shown",
		func(hub *Hub) any { return hub.run("counts", 1) })
	area.scenario("only the last generation is in the history",
		func(hub *Hub) any { return hub.run("countsInActivities", 1) })
	area.scenario("each generation may call children without choosing their ids",
		func(hub *Hub) any { return hub.outputOf("countsInChildren", 1) })
	area.scenario("a parent hears of its child's last generation only",
		func(hub *Hub) any { return hub.run("callsCounting", nil) })
	area.scenario("every event of a storm is consumed once over fifty generations",
		func(hub *Hub) any {
			instanceID := hub.start("collectsOneByOne", collecting{Wanted: 50})
			atOnce(50, func(i int) { hub.raise(instanceID, "item", i) })
			return hub.completed(instanceID)
		})
	area.scenario("events of one caller keep their order over generations", func(hub *Hub) any {
		instanceID := hub.start("collectsOneByOne", collecting{Wanted: 20})
		for i := range 20 {
			hub.raise(instanceID, "item", i)
		}
		return hub.completed(instanceID)
	})
}

func leftOver(area *Area) {
	area.command("keepEvents", func(hub *Hub, given []value) any {
		gates := twoGates{First: newGate(), Second: newGate(), Keep: read[bool](given[0])}
		instanceID := hub.start("keepsEvents", gates)
		waitUntilReached(gates.First)
		hub.raise(instanceID, "item", "old")
		hub.raise(instanceID, "ready", nil)
		openGate(gates.First)
		waitUntilReached(gates.Second)
		hub.raise(instanceID, "item", "new")
		openGate(gates.Second)
		return hub.completed(instanceID)
	})
	area.scenario("a result for an earlier generation does not complete a task of this one",
		func(hub *Hub) any {
			gates := twoGates{First: newGate(), Second: newGate()}
			instanceID := hub.start("asksTwice", gates)
			waitUntilReached(gates.First)
			hub.raise(instanceID, "restart", nil)
			waitUntilReached(gates.Second)
			openGate(gates.First)
			hub.state(instanceID)
			openGate(gates.Second)
			return object{"second": gates.Second, "state": hub.completed(instanceID)}
		})
}

// Calls side by side; a call that panics ends the program, which the tests hear of.
func atOnce(count int, run func(i int)) {
	var all sync.WaitGroup
	for i := range count {
		all.Add(1)
		go func() {
			defer all.Done()
			run(i)
		}()
	}
	all.Wait()
}
