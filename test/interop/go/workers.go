package main

import (
	"slices"
	"sync"

	"github.com/microsoft/durabletask-go/task"
)

// Several workers and hubs. Those that are killed: lostWorker.
func workers() *Area {
	area := newArea()
	several(area)
	area.scenario("task hubs do not see each other's instances", func(hub *Hub) any {
		instanceID := newID("same")
		one, other := hub.alone(), hub.alone()
		defer one.close()
		defer other.close()
		one.startAs(instanceID, "anything", "of one")
		unseen := other.state(instanceID)
		other.startAs(instanceID, "anything", "of the other")
		var inputs []any
		for _, each := range []*Hub{one, other} {
			inputs = append(inputs, each.state(instanceID)["input"])
			must(each.terminate(instanceID))
		}
		return object{"unseen": unseen, "inputs": inputs}
	})
	// Goes on in a hub, through all of these gates, with what another program has started there.
	area.command("goOn", func(hub *Hub, given []value) any {
		for _, gate := range read[[]string](given[2]) {
			openGate(gate)
		}
		its := newHub(hub.address, textOf(given[0]))
		defer its.close()
		its.work(lostWorker())
		return its.completed(textOf(given[1]))
	})
	restarts(area)
	return area
}

func several(area *Area) {
	area.scenario("two workers share the work, and each activity runs once", func(hub *Hub) any {
		alone := hub.alone()
		defer alone.close()
		both := []*squaring{{}, {}}
		for _, each := range both {
			alone.work(each.area())
		}
		// The stream of a worker may come later than what is started next, on another connection.
		for both[0].isIdle() || both[1].isIdle() {
			alone.run("squares", []int{-1, -1})
		}
		numbers := []int{}
		for i := range 200 {
			numbers = append(numbers, i)
		}
		state := alone.run("squares", numbers)
		return object{"state": state, "runs": [][]int{both[0].runs(), both[1].runs()}}
	})
	area.scenario("another worker goes on with an orchestration whose worker has stopped",
		func(hub *Hub) any {
			alone := hub.alone()
			defer alone.close()
			stop := alone.work(listening())
			instanceID := alone.startAndWait("listens", nil)
			stop()
			alone.raise(instanceID, "go", "on")
			alone.work(listening())
			return alone.completed(instanceID)
		})
}

func listening() *Area {
	area := newArea()
	orchestrator(area, "listens", waitsForGo)
	return area
}

// A worker that remembers which activities it has run.
type squaring struct {
	mutex sync.Mutex
	given []int
}

func (worker *squaring) area() *Area {
	area := newArea()
	orchestrator(area, "squares", func(context Context, given []int) (any, error) {
		var squares []task.Task
		for _, number := range given {
			squares = append(squares, callActivity(context, "square", number))
		}
		return awaitAll[int](squares)
	})
	activity(area, "square", func(given int) (any, error) {
		worker.mutex.Lock()
		defer worker.mutex.Unlock()
		worker.given = append(worker.given, given)
		return given * given, nil
	})
	return area
}

func (worker *squaring) isIdle() bool {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	return len(worker.given) == 0
}

func (worker *squaring) runs() []int {
	worker.mutex.Lock()
	defer worker.mutex.Unlock()
	return slices.DeleteFunc(worker.given, func(given int) bool { return given < 0 })
}

// A worker and a client of a sidecar that comes and goes.
func restarts(area *Area) {
	var hubs sync.Map
	hubAt := func(address string) *Hub {
		hub, _ := hubs.Load(address)
		return hub.(*Hub)
	}
	// Starts a worker and an orchestration, whether there is a sidecar or not yet.
	area.command("begin", func(_ *Hub, given []value) any {
		address := textOf(given[0])
		hub := newHub(address, "default")
		hubs.Store(address, hub)
		go hub.work(listening())
		go hub.startAs(address, "listens", nil)
		return nil
	})
	area.command("begun", func(_ *Hub, given []value) any {
		address := textOf(given[0])
		return hubAt(address).started(address)["status"]
	})
	area.command("finish", func(_ *Hub, given []value) any {
		address := textOf(given[0])
		hub := hubAt(address)
		defer hub.close()
		hub.raise(address, "go", "on")
		return hub.completed(address)
	})
}
