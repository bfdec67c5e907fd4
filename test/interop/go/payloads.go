package main

import (
	"strings"

	"github.com/microsoft/durabletask-go/task"
)

const mebibyte = 1 << 20

var echoes = []string{"echoes", "echoesByActivity", "echoesByChild"}

// What payloads become on their way, and how big they may be.
func payloads() *Area {
	area := newArea()
	activity(area, "echo", func(given value) (any, error) { return outputOf(given, nil) })
	activity(area, "repeat",
		func(given int) (any, error) { return strings.Repeat("x", given), nil })
	orchestrator(area, "echoes",
		func(_ Context, given value) (any, error) { return outputOf(given, nil) })
	orchestrator(area, "echoesByActivity",
		func(context Context, given value) (any, error) {
			return outputOf(await[value](
				context.CallActivity("echo", task.WithRawActivityInput(string(given)))))
		})
	orchestrator(area, "echoesByChild",
		func(context Context, given value) (any, error) {
			return outputOf(await[value](
				context.CallSubOrchestrator("echoes",
					task.WithRawSubOrchestratorInput(string(given)))))
		})
	orchestrator(area, "echoesEvent", func(context Context, _ value) (any, error) {
		return outputOf(await[value](context.WaitForSingleEvent("payload", -1)))
	})
	orchestrator(area, "lengthOf", func(context Context, given int) (any, error) {
		long, err := await[string](callActivity(context, "repeat", given))
		return len(long), err
	})
	activity(area, "measures", func(given string) (any, error) { return len(given), nil })
	// It does not wait: what comes back would not fit into its next turn with all that it has sent.
	orchestrator(area, "sendsMuch", func(context Context, given int) (any, error) {
		for range given {
			callActivity(context, "measures", strings.Repeat("x", mebibyte))
		}
		return "sent", nil
	})
	values(area)
	sizes(area)
	return area
}

func values(area *Area) {
	area.command("passThroughAll", func(hub *Hub, given []value) any {
		var states []object
		for _, name := range echoes {
			states = append(states, hub.run(name, given[0]))
		}
		return states
	})
	area.command("passThroughEvent", func(hub *Hub, given []value) any {
		instanceID := hub.start("echoesEvent", nil)
		hub.raise(instanceID, "payload", given[0])
		return hub.completed(instanceID)
	})
	area.scenario("no value is an empty input and no output",
		func(hub *Hub) any { return hub.run("echoes", nil) })
	area.scenario("no value comes back from an activity and a child as no value",
		func(hub *Hub) any {
			return []object{hub.run("echoesByActivity", nil), hub.run("echoesByChild", nil)}
		})
}

func sizes(area *Area) {
	area.scenario("a mebibyte passes through inputs, activities, children and outputs",
		func(hub *Hub) any {
			long := strings.Repeat("ä", mebibyte/2)
			var same []bool
			for _, name := range echoes {
				same = append(same, read[string](hub.outputOf(name, long)) == long)
			}
			return same
		})
	area.scenario("a mebibyte passes through an event", func(hub *Hub) any {
		long := strings.Repeat("e", mebibyte)
		instanceID := hub.start("echoesEvent", nil)
		hub.raise(instanceID, "payload", long)
		return hub.completed(instanceID)["output"] == `"`+long+`"`
	})
	area.scenario("a turn that answers with six mebibytes is taken",
		func(hub *Hub) any { return hub.run("sendsMuch", 6) })
	area.scenario("a payload that is too big is refused and names its limit", func(hub *Hub) any {
		return refusal(hub.tryStart("echoes", strings.Repeat("x", 8*mebibyte), newID("long")))
	})
	area.scenario("an activity's result that is too big fails its task, not the sidecar",
		func(hub *Hub) any { return hub.run("lengthOf", 8*mebibyte) })
}
