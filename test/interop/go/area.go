package main

import (
	"encoding/json"

	"github.com/microsoft/durabletask-go/task"
)

// A JSON text that is passed on as it came; empty for what is not there.
type value = json.RawMessage

type object = map[string]any

type Context = *task.OrchestrationContext

// A scenario or a command. It returns in JSON what it has seen, and panics with what went wrong.
type asked = func(hub *Hub, given []value) any

// What one file of scenarios brings.
type Area struct {
	orchestrators map[string]task.Orchestrator
	activities    map[string]task.Activity
	asked         map[string]asked
}

func newArea() *Area {
	return &Area{
		orchestrators: map[string]task.Orchestrator{},
		activities:    map[string]task.Activity{},
		asked:         map[string]asked{},
	}
}

// A function whose input is read as the type of its argument.
func orchestrator[Input any](
	area *Area,
	name string,
	run func(context Context, given Input) (any, error),
) {
	area.orchestrators[name] = func(context Context) (any, error) {
		var given Input
		if err := context.GetInput(&given); err != nil {
			return nil, err
		}
		return run(context, given)
	}
}

func activity[Input any](area *Area, name string, run func(given Input) (any, error)) {
	area.activities[name] = func(context task.ActivityContext) (any, error) {
		var given Input
		if err := context.GetInput(&given); err != nil {
			return nil, err
		}
		return run(given)
	}
}

func (area *Area) scenario(name string, run func(hub *Hub) any) {
	area.command(name, func(hub *Hub, _ []value) any { return run(hub) })
}

func (area *Area) command(name string, run asked) {
	if _, taken := area.asked[name]; taken {
		panic("there are two of " + name)
	}
	area.asked[name] = run
}

func (area *Area) registry() *task.TaskRegistry {
	registry := task.NewTaskRegistry()
	for name, run := range area.orchestrators {
		must(registry.AddOrchestratorN(name, run))
	}
	for name, run := range area.activities {
		must(registry.AddActivityN(name, run))
	}
	return registry
}

func callActivity(context Context, name string, given any) task.Task {
	return context.CallActivity(name, task.WithActivityInput(given))
}

// The result of a task, read as the wanted type.
func await[Result any](wanted task.Task) (Result, error) {
	var result Result
	err := wanted.Await(&result)
	return result, err
}

// The results of tasks that run side by side, in the order of the tasks.
func awaitAll[Result any](wanted []task.Task) ([]Result, error) {
	results := []Result{}
	for _, each := range wanted {
		result, err := await[Result](each)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// What is not there is null, as an output that is none: the SDK knows no other way to say it.
func outputOf(result value, err error) (any, error) {
	if err != nil || len(result) == 0 {
		return nil, err
	}
	return result, nil
}

func read[Read any](text value) Read {
	var read Read
	must(json.Unmarshal(text, &read))
	return read
}

func textOf(text value) string {
	return read[string](text)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
