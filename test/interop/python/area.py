"""What one file of scenarios brings: orchestrators, activities, entities and what is asked for."""


class Area:
    def __init__(self):
        self.orchestrators = []
        self.activities = []
        self.entities = []
        self.asked = {}

    def orchestrator(self, run):
        self.orchestrators.append(run)
        return run

    def orchestrator_named(self, name):
        """For names that are shared with other languages."""

        def keep(run):
            run.__name__ = name
            return self.orchestrator(run)

        return keep

    def activity(self, run):
        self.activities.append(run)
        return run

    def entity(self, name, run):
        self.entities.append((name, run))

    def scenario(self, name):
        """A function of a hub (see hub.py) that returns in JSON what it has seen."""

        def keep(run):
            if name in self.asked:
                raise ValueError(f"there are two of {name}")
            self.asked[name] = run
            return run

        return keep

    def command(self, run):
        """Like a scenario, under the name of the function; it may have more arguments."""
        self.scenario(run.__name__)(run)
        return run

    def register(self, worker):
        for orchestrator in self.orchestrators:
            worker.add_orchestrator(orchestrator)
        for activity in self.activities:
            worker.add_activity(activity)
        for name, entity in self.entities:
            worker.add_entity(entity, name)
