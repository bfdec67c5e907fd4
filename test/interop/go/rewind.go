package main

import (
	"fmt"
	"sync"

	"github.com/microsoft/durabletask-go/task"
)

type rewindable struct {
	Key     string `json:"key"`
	GoodRun int    `json:"goodRun"`
	Depth   int    `json:"depth"`
}

// Orchestrations that fail and are rewound: not by the SDK's client, which has no means for it.
func rewind() *Area {
	area := newArea()
	runs := &counts{of: map[string]int{}}
	activity(area, "succeeds",
		func(key string) (any, error) { return runs.add(key + " good"), nil })
	activity(area, "failsUntil", func(given rewindable) (any, error) {
		run := runs.add(given.Key)
		if run < given.GoodRun {
			return nil, fmt.Errorf("run %d failed", run)
		}
		return run, nil
	})
	orchestrator(area, "twoSteps",
		func(context Context, given rewindable) (any, error) {
			first, err := await[int](
				callActivity(context, "succeeds", given.Key))
			if err != nil {
				return nil, err
			}
			second, err := await[int](
				callActivity(context, "failsUntil", given))
			return []int{first, second}, err
		})
	orchestrator(area, "levels", levels)
	area.command("run",
		func(hub *Hub, given []value) any { return hub.run(textOf(given[0]), given[1]) })
	area.command("completed",
		func(hub *Hub, given []value) any { return hub.completed(textOf(given[0])) })
	area.command("purge", func(hub *Hub, given []value) any {
		must(hub.purge(textOf(given[0])))
		return nil
	})
	area.command("getRuns", func(_ *Hub, given []value) any { return runs.get(textOf(given[0])) })
	return area
}

func levels(context Context, given rewindable) (any, error) {
	if given.Depth == 0 {
		return outputOf(await[value](
			callActivity(context, "failsUntil", given)))
	}
	instanceID := fmt.Sprintf("%s-%d", given.Key, given.Depth)
	given.Depth--
	return outputOf(await[value](context.CallSubOrchestrator("levels",
		task.WithSubOrchestratorInput(given), task.WithSubOrchestrationInstanceID(instanceID))))
}

// How often something has run, by a key that the orchestration gives.
type counts struct {
	mutex sync.Mutex
	of    map[string]int
}

// Counts this time too.
func (counts *counts) add(key string) int {
	counts.mutex.Lock()
	defer counts.mutex.Unlock()
	counts.of[key]++
	return counts.of[key]
}

func (counts *counts) get(key string) int {
	counts.mutex.Lock()
	defer counts.mutex.Unlock()
	return counts.of[key]
}
