package main

import (
	"errors"

	"github.com/microsoft/durabletask-go/task"
)

// Results and failures of activities.
func activities() *Area {
	area := newArea()
	activity(area, "addOne", func(given int) (any, error) { return given + 1, nil })
	activity(area, "square", func(given int) (any, error) { return given * given, nil })
	activity(area, "fail", func(value) (any, error) {
		return nil, errors.New("the reactor is too hot")
	})
	chains(area)
	failing(area)
	area.scenario("an orchestration that does nothing completes without an output",
		func(hub *Hub) any { return hub.run("empty", nil) })
	area.scenario("a chain hands each activity's result to the next",
		func(hub *Hub) any { return hub.outputOf("chain", 2) })
	area.scenario("the results of a hundred activities come back in the order of the calls",
		func(hub *Hub) any { return hub.outputOf("fanOut", 100) })
	area.scenario("a fan-out over nothing completes",
		func(hub *Hub) any { return hub.outputOf("fanOut", 0) })
	area.scenario("a failed activity fails the orchestration, and its text passes up",
		func(hub *Hub) any { return hub.run("failing", nil) })
	area.scenario("an orchestration may catch a failure and go on",
		func(hub *Hub) any { return hub.outputOf("forgiving", nil) })
	area.scenario("an activity that no worker has registered fails its task",
		func(hub *Hub) any { return hub.run("unknownActivity", nil) })
	area.scenario("an orchestrator that no worker has registered fails",
		func(hub *Hub) any { return hub.run("nobodyHasThisEither", nil) })
	return area
}

func chains(area *Area) {
	orchestrator(area, "empty", func(Context, value) (any, error) { return nil, nil })
	orchestrator(area, "chain", func(context Context, given int) (any, error) {
		for _, step := range []string{"addOne", "square", "addOne"} {
			result, err := await[int](callActivity(context, step, given))
			if err != nil {
				return nil, err
			}
			given = result
		}
		return given, nil
	})
	orchestrator(area, "fanOut", func(context Context, given int) (any, error) {
		var squares []task.Task
		for i := range given {
			squares = append(squares, callActivity(context, "square", i))
		}
		return awaitAll[int](squares)
	})
}

func failing(area *Area) {
	orchestrator(area, "failing", func(context Context, _ value) (any, error) {
		return nil, context.CallActivity("fail").Await(nil)
	})
	orchestrator(area, "forgiving", func(context Context, _ value) (any, error) {
		failure := context.CallActivity("fail").Await(nil)
		after, err := await[int](callActivity(context, "addOne", 1))
		return object{"caught": failure.Error(), "after": after}, err
	})
	orchestrator(area, "unknownActivity",
		func(context Context, _ value) (any, error) {
			return nil, context.CallActivity("nobodyHasThis").Await(nil)
		})
}
