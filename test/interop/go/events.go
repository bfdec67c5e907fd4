package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/microsoft/durabletask-go/api"
	"github.com/microsoft/durabletask-go/task"
)

// External events and timers.
func events() *Area {
	area := newArea()
	activity(area, "passGate", passGate)
	sleepers(area)
	listeners(area)
	timers(area)
	kept(area)
	many(area)
	races(area)
	notReceived(area)
	return area
}

func milliseconds(count int) time.Duration {
	return time.Duration(count) * time.Millisecond
}

func sleepers(area *Area) {
	orchestrator(area, "naps", func(context Context, given int) (any, error) {
		start := context.CurrentTimeUtc
		err := context.CreateTimer(milliseconds(given)).Await(nil)
		return context.CurrentTimeUtc.Sub(start).Seconds(), err
	})
	orchestrator(area, "sleepsUntil",
		func(context Context, given time.Time) (any, error) {
			return "awake", context.CreateTimer(given.Sub(context.CurrentTimeUtc)).Await(nil)
		})
	orchestrator(area, "napsTogether", func(context Context, given int) (any, error) {
		var naps []task.Task
		for i := range given {
			naps = append(naps, context.CreateTimer(milliseconds(i)))
		}
		_, err := awaitAll[value](naps)
		return given, err
	})
	orchestrator(area, "races", func(context Context, given int) (any, error) {
		answer, err := await[string](context.WaitForSingleEvent("answer", milliseconds(given)))
		if errors.Is(err, task.ErrTaskCanceled) {
			return "timer", nil
		}
		return answer, err
	})
}

func listeners(area *Area) {
	orchestrator(area, "listens", func(context Context, given string) (any, error) {
		return outputOf(await[value](context.WaitForSingleEvent(given, -1)))
	})
	orchestrator(area, "collects", collects)
	orchestrator(area, "listensLate", func(context Context, given string) (any, error) {
		if err := callActivity(context, "passGate", given).Await(nil); err != nil {
			return nil, err
		}
		return collects(context, 2)
	})
	orchestrator(area, "listensToMany", func(context Context, given int) (any, error) {
		var waits []task.Task
		for i := range given {
			waits = append(waits, context.WaitForSingleEvent(fmt.Sprintf("e%d", i), -1))
		}
		return awaitAll[int](waits)
	})
}

func timers(area *Area) {
	area.scenario("a timer does not fire before its time",
		func(hub *Hub) any { return hub.outputOf("naps", 250) })
	area.scenario("a timer of the past fires at once",
		func(hub *Hub) any { return hub.outputOf("sleepsUntil", "2001-02-03T04:05:06.789Z") })
	area.scenario("two hundred timers of one orchestration all fire",
		func(hub *Hub) any { return hub.outputOf("napsTogether", 200) })
}

func kept(area *Area) {
	area.scenario("an event that is waited for completes the wait", func(hub *Hub) any {
		instanceID := hub.startAndWait("listens", "approval")
		hub.raise(instanceID, "approval", object{"by": "nadia"})
		return hub.completed(instanceID)
	})
	area.scenario("events raised before they are waited for are kept, in order",
		func(hub *Hub) any {
			gate := newGate()
			instanceID := hub.start("listensLate", gate)
			hub.raise(instanceID, "item", 1)
			waitUntilReached(gate)
			hub.raise(instanceID, "item", 2)
			openGate(gate)
			return hub.completed(instanceID)
		})
	area.scenario("an event raised before the scheduled start is kept", func(hub *Hub) any {
		startAt := time.Now().Add(1500 * time.Millisecond)
		instanceID := hub.startAs(newID("early"), "listens", "early", api.WithStartTime(startAt))
		hub.raise(instanceID, "early", "bird")
		status := hub.status(instanceID)
		return object{"status": status, "state": hub.completed(instanceID)}
	})
	area.scenario("names of events are compared without case, and stored as they came",
		func(hub *Hub) any {
			instanceID := hub.startAndWait("collects", 2)
			hub.raise(instanceID, "ITEM", 7)
			hub.raise(instanceID, "iteM", 8)
			return hub.completed(instanceID)
		})
}

func many(area *Area) {
	area.scenario("a hundred events raised at once all arrive", func(hub *Hub) any {
		instanceID := hub.start("collects", 100)
		atOnce(100, func(i int) { hub.raise(instanceID, "item", i) })
		return hub.completed(instanceID)
	})
	area.scenario("a hundred events of different names complete a hundred waits",
		func(hub *Hub) any {
			instanceID := hub.start("listensToMany", 100)
			atOnce(100, func(i int) { hub.raise(instanceID, fmt.Sprintf("e%d", i), i) })
			return hub.completed(instanceID)
		})
	area.scenario("events raised one after the other arrive in that order", func(hub *Hub) any {
		instanceID := hub.start("collects", 20)
		for i := range 20 {
			hub.raise(instanceID, "item", i)
		}
		return hub.completed(instanceID)
	})
}

func races(area *Area) {
	area.scenario("a timer wins the race against an event that never comes",
		func(hub *Hub) any { return hub.outputOf("races", 50) })
	area.scenario("an event wins the race against a timer of an hour", func(hub *Hub) any {
		instanceID := hub.start("races", 3_600_000)
		hub.raise(instanceID, "answer", "event")
		return hub.completed(instanceID)
	})
	area.scenario("an event wins the race against a timer of thirty days", func(hub *Hub) any {
		instanceID := hub.start("races", 30*24*3_600_000)
		hub.raise(instanceID, "answer", "event")
		return hub.completed(instanceID)
	})
	area.scenario("an event without data is read as null", func(hub *Hub) any {
		instanceID := hub.start("listens", "bare")
		must(hub.tryRaise(instanceID, "bare"))
		return hub.completed(instanceID)
	})
}

func notReceived(area *Area) {
	area.scenario("raising an event of an unknown instance is NOT_FOUND",
		func(hub *Hub) any { return refusal(hub.tryRaise(newID("nobody"), "item")) })
	area.scenario("an event of a completed instance is dropped without an error",
		func(hub *Hub) any {
			before := hub.run("naps", 1)
			instanceID := before["instanceId"].(string)
			hub.raise(instanceID, "item", 1)
			return object{"before": before, "after": hub.state(instanceID)}
		})
}
