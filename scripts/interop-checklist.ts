/** What the protocol's checklist asks of every SDK, and the scenarios that try it. */

export interface ChecklistItem {
  readonly group: string;
  readonly item: string;
  /** Their names in test/interop/scenarios.md. */
  readonly scenarios: readonly string[];
}

type Items = Readonly<Record<string, readonly string[]>>;

const ACTIVITIES: Items = {
  "an empty orchestration": ["an orchestration that does nothing completes without an output"],
  "a chain of activities": ["a chain hands each activity's result to the next"],
  "a fan-out": [
    "the results of a hundred activities come back in the order of the calls",
    "a fan-out over nothing completes",
  ],
  "a failure": [
    "a failed activity fails the orchestration, and its text passes up",
    "an orchestration may catch a failure and go on",
    "an activity that no worker has registered fails its task",
  ],
  "a retry policy with exact attempts": [
    "a retry policy stops at the first attempt that succeeds",
    "a retry policy of three attempts makes exactly three",
    "each attempt and each pause between them is in the history",
    "a retry policy that refuses a failure makes one attempt",
  ],
};

const CHILDREN: Items = {
  "by name": ["a child is called by its name and its output comes back"],
  "what it knows of its parent": [
    "a child knows its parent's name, id and task, and its own version",
    "an orchestration that a client started has no parent",
  ],
  tags: ["a child gets the tags that its parent gives it"],
  retries: [
    "a child that fails twice is run three times under the same id",
    "a child is not run more often than its retry policy says",
  ],
  "the text of a failure passes up": ["a child's failure passes up with its text"],
};

const EVENTS: Items = {
  "timers of a second and of days": [
    "a timer does not fire before its time",
    "a timer of the past fires at once",
    "an event wins the race against a timer of thirty days",
  ],
  "events before and after the start": [
    "an event raised before the scheduled start is kept",
    "events raised before they are waited for are kept, in order",
    "an event that is waited for completes the wait",
  ],
  "names of events without case": [
    "names of events are compared without case, and stored as they came",
  ],
  "a hundred events at once": [
    "a hundred events raised at once all arrive",
    "a hundred events of different names complete a hundred waits",
  ],
  "an event races a timeout": [
    "a timer wins the race against an event that never comes",
    "an event wins the race against a timer of an hour",
  ],
  "an event to another instance and to nobody": [
    "an orchestration sends an event to another one",
    "an event sent to nobody is dropped and its sender goes on",
  ],
};

const CONTROL: Items = {
  "a custom status is set, changed and emptied": [
    "the custom status of the first turn is there when the start was waited for",
    "a custom status $fact",
  ],
  "suspended, with an event and a wait in vain, and resumed": [
    "an event raised while suspended is delivered after the resume, not before",
  ],
  "terminated: running, pending, suspended": [
    "a running orchestration is terminated with the output it is given",
    "an orchestration that no worker has seen is suspended, resumed and terminated",
    "a suspended orchestration is terminated",
  ],
  "terminated with its children": ["a recursive termination ends the children too"],
  "continued as new ten times": [
    "an orchestration starts anew ten times, and its last input is shown",
  ],
  "continued as new with its events": [
    "every event of a storm is consumed once over fifty generations",
    "an event that was read and not used $fact",
  ],
  "continued as new in another version": ["an orchestration continues as new in another version"],
  "continued as new with children": [
    "each generation may call children without choosing their ids",
  ],
  "restarted under its id and a new one": [
    "a completed orchestration that is restarted under its id runs again with its input",
    "a restart under a new id leaves a running orchestration as it is",
  ],
  "restarts that are refused": [
    "a running or suspended orchestration is not restarted under its id",
    "restarting an unknown instance is refused",
  ],
  "a failed activity is rewound": [
    "a rewound orchestration runs its failed activity again and completes",
  ],
  "a rewind keeps what has succeeded": ["what has succeeded before a rewind is not run again"],
  "a failed child is rewound": [
    "a failed child is rewound with its parent",
    "a failed grandchild is rewound with its grandparent",
  ],
  "a purged child is rewound": ["a purged child is created again when its parent is rewound"],
  "rewound twice": ["an orchestration is rewound twice"],
  "rewound without a reason": ["an orchestration is rewound without a reason"],
  "rewinds that are refused": [
    "rewinding an unknown instance is refused",
    "an orchestration that has not failed is not rewound",
  ],
};

const INSTANCES: Items = {
  "an id that is in use": [
    "starting an instance that is running is ALREADY_EXISTS",
    "starting a completed, failed or terminated instance again replaces it",
    "a start whose policy $fact",
  ],
  "filters of queries": [
    "orchestrations are found by their status",
    "orchestrations are found by the time of their creation",
    "orchestrations are found by the beginning of their ids",
    "each filter of a query narrows the others",
  ],
  "pages of queries": ["twenty-one orchestrations are found five by five"],
  "lists of ids": [
    "the ids of ended orchestrations are listed in the order of their ends, page by page",
    "the ids of ended orchestrations are listed by status and by the time of their ends",
  ],
  "purged by its id": [
    "a purged instance is gone and its id is free",
    "a running or an unknown instance is not purged",
  ],
  "purged by a filter": [
    "a purge by status deletes what has that status",
    "a purge by the time of creation deletes what was created in it",
    "a purge by a filter that names no status spares what has not ended",
  ],
  "purged with its children": [
    "a purge with recursive=$recursive of a parent of two deletes $count",
    "a purge by filter with recursive=$recursive of a parent of two deletes $count",
  ],
  "the sequence of a history": [
    "the history of an activity, a timer and a child has exactly twelve events",
  ],
  "what is replayed": ["an orchestrator is told what is replayed"],
  "identifiers at each replay": [
    "identifiers and times that an orchestrator makes are the same at each replay",
  ],
  "values like zero, false and nothing": [
    "$text passes through inputs, activities, children and outputs",
    "$text passes through an event",
    "no value is an empty input and no output",
  ],
  "histories of more than a mebibyte": [
    "a mebibyte passes through inputs, activities, children and outputs",
    "a mebibyte passes through an event",
    "a history of six mebibytes is replayed by a worker without a limit, and read",
  ],
  "answers in chunks": ["a turn that answers with six mebibytes is taken"],
};

const WORKERS: Items = {
  "versions that fit and do not, failed": [
    "an orchestration of the wrong version fails where the worker says so",
  ],
  "versions that fit and do not, rejected": [
    "an orchestration that one worker rejects for its version goes to another",
  ],
  "filters with and without a match": [
    "an orchestration that no worker's filter takes waits for one that does",
  ],
  "a worker is killed in an activity": [
    "an activity whose worker is gone runs again on another one",
  ],
  "a worker is killed in a turn": ["a turn whose worker is gone is taken by another one"],
  "the sidecar is killed in a turn": [
    "a turn whose sidecar is killed is taken up again when it is back",
  ],
  "two workers": ["two workers share the work, and each activity runs once"],
  "a worker before the sidecar": [
    "a worker that is there before the sidecar, and while it is restarted, goes on by itself",
  ],
};

const ENTITIES: Items = {
  "a signal": [
    "a client's signal reaches its entity",
    "an orchestration that signals an entity and ends has signalled it",
  ],
  "a call": ["an orchestration calls an entity and gets its result"],
  "a failure": [
    "a failed operation reaches its caller, and its state and messages are rolled back",
    "a failed operation does not take back those before it, nor stop those behind it",
  ],
  "it is deleted": ["a deleted entity is gone, and begins anew"],
  "it is found": [
    "an unknown entity is not there",
    "entities are found by the beginning of their ids, page by page",
    "entities are found by the time of their last change",
  ],
  "a lock": [
    "what others send to a locked entity waits for the end of the critical section",
    "a locked entity shows the instance id of its holder",
  ],
  "a lock of several": [
    "an orchestration locks three entities at once, and one that it names twice once",
  ],
  "several want a lock": [
    "orchestrations that lock the same two entities in either order all get them, one after the other",
  ],
  "a crash inside a lock": [
    "an orchestration that fails in its critical section frees its entities",
    "an orchestration that is terminated in its critical section frees its entities",
  ],
  "released twice": ["releasing a lock twice frees no entity of anybody else"],
  "an entity to another": ["an entity signals another one"],
  "an entity to an orchestration": ["an entity starts an orchestration"],
  "a scheduled signal is not early": ["a scheduled signal of $sender does not arrive early"],
};

export const CHECKLIST: readonly ChecklistItem[] = Object.entries({
  Activities: ACTIVITIES,
  Children: CHILDREN,
  "Timers and events": EVENTS,
  Lifecycle: CONTROL,
  Instances: INSTANCES,
  Workers: WORKERS,
  Entities: ENTITIES,
}).flatMap(([group, items]) =>
  Object.entries(items).map(([item, scenarios]) => ({ group, item, scenarios })),
);
