"""Places where activities stop until they are let go on. Activities know their names only."""

import threading
import uuid

# How long something that must come may take, in seconds: less than a test.
PATIENCE = 30


class Gates:
    def __init__(self):
        self._lock = threading.Lock()
        self._reached = {}
        self._opened = {}

    def _event(self, events, name):
        with self._lock:
            return events.setdefault(name, threading.Event())

    def new(self):
        return f"gate-{uuid.uuid4()}"

    def pass_through(self, name):
        self._event(self._reached, name).set()
        if not self._event(self._opened, name).wait(PATIENCE):
            raise TimeoutError(f"nobody has opened {name}")
        return name

    def wait_until_reached(self, name):
        if not self._event(self._reached, name).wait(PATIENCE):
            raise TimeoutError(f"nobody has reached {name}")

    def open(self, name):
        self._event(self._opened, name).set()
