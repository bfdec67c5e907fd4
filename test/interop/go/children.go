package main

import (
	"errors"
	"fmt"

	"github.com/microsoft/durabletask-go/api"
	"github.com/microsoft/durabletask-go/task"
)

// How an orchestration is to call a child; without an id it gets one.
type call struct {
	Name       string `json:"name"`
	Input      any    `json:"input"`
	InstanceID string `json:"instanceId"`
}

// Sub-orchestrations.
func children() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	orchestrator(area, "double",
		func(_ Context, given int) (any, error) { return given * 2, nil })
	orchestrator(area, "broken", func(Context, value) (any, error) {
		return nil, errors.New("the child is not well")
	})
	orchestrator(area, "waiting", waitsForGo)
	parents(area)
	childOutputs(area)
	otherEnds(area)
	return area
}

func waitsForGo(context Context, _ value) (any, error) {
	return outputOf(await[value](context.WaitForSingleEvent("go", -1)))
}

func parents(area *Area) {
	orchestrator(area, "callsChild", func(context Context, given call) (any, error) {
		return outputOf(await[value](context.CallSubOrchestrator(given.Name,
			task.WithSubOrchestratorInput(given.Input),
			task.WithSubOrchestrationInstanceID(given.InstanceID))))
	})
	orchestrator(area, "callsChildren", func(context Context, given int) (any, error) {
		var doubles []task.Task
		for i := range given {
			double := context.CallSubOrchestrator("double", task.WithSubOrchestratorInput(i))
			doubles = append(doubles, double)
		}
		return awaitAll[int](doubles)
	})
	orchestrator(area, "levels", func(context Context, given int) (any, error) {
		if given == 0 {
			return []string{"bottom"}, nil
		}
		below, err := await[[]string](
			context.CallSubOrchestrator("levels", task.WithSubOrchestratorInput(given-1)))
		return append([]string{fmt.Sprintf("level %d", given)}, below...), err
	})
	orchestrator(area, "leavesChild",
		func(context Context, given struct{ InstanceID, Gate string }) (any, error) {
			itsID := task.WithSubOrchestrationInstanceID(given.InstanceID)
			context.CallSubOrchestrator("waiting", itsID)
			err := callActivity(context, "passGate", given.Gate).Await(nil)
			return "left", err
		})
}

func childOutputs(area *Area) {
	area.scenario("a child is called by its name and its output comes back",
		func(hub *Hub) any { return hub.outputOf("callsChild", call{Name: "double", Input: 21}) })
	area.scenario("an orchestration that a client started has no parent",
		func(hub *Hub) any { return hub.run("double", 1) })
	area.scenario("fifty children run side by side",
		func(hub *Hub) any { return hub.outputOf("callsChildren", 50) })
	area.scenario("outputs pass up through three levels",
		func(hub *Hub) any { return hub.outputOf("levels", 3) })
	area.scenario("a child's failure passes up with its text", func(hub *Hub) any {
		return hub.run("callsChild", call{Name: "callsChild", Input: call{Name: "broken"}})
	})
	area.scenario("a child gets the id that its parent gives it", func(hub *Hub) any {
		child := newID("child")
		hub.run("callsChild", call{Name: "double", Input: 1, InstanceID: child})
		return hub.state(child)
	})
}

func otherEnds(area *Area) {
	area.scenario("calling a child that is running fails the call and leaves it alone",
		func(hub *Hub) any {
			child := hub.startAndWait("waiting", nil)
			state := hub.run("callsChild", call{Name: "double", Input: 1, InstanceID: child})
			hub.raise(child, "go", "still here")
			return object{"childId": child, "state": state, "child": hub.completed(child)}
		})
	area.scenario("a terminated child fails its parent's call", func(hub *Hub) any {
		child := newID("child")
		parent := hub.start("callsChild", call{Name: "waiting", InstanceID: child})
		hub.started(child)
		must(hub.terminate(child, api.WithOutput("no longer needed")))
		return hub.completed(parent)
	})
	area.scenario("a child goes on when its parent has completed without it", func(hub *Hub) any {
		child, gate := newID("child"), newGate()
		parent := hub.start("leavesChild", object{"InstanceID": child, "Gate": gate})
		hub.started(child)
		openGate(gate)
		left := hub.completed(parent)
		hub.raise(child, "go", 1)
		return object{"parent": left, "child": hub.completed(child)}
	})
}
