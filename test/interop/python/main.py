"""A worker and a client of the published durabletask package that run what they are told.

    python main.py AREA ADDRESS [TASK_HUB]

Each line of standard input is `[number, name, ...arguments]` in JSON: a scenario of the area, or a
command of it. They run side by side. Each is answered with one line in JSON: its number, and its
`result` or its `error`. The program ends with its input.
"""

import importlib
import json
import sys
import threading
import traceback

from hub import Hub, new_worker


class Answers:
    def __init__(self):
        self._lock = threading.Lock()

    def write(self, answer):
        line = json.dumps(answer)
        with self._lock:
            print(line, flush=True)


def answer(area, hub, request, answers):
    number, name, *arguments = request
    try:
        answers.write({"number": number, "result": area.asked[name](hub, *arguments)})
    except BaseException:
        answers.write({"number": number, "error": traceback.format_exc()})


def main(area_name, address, task_hub=None):
    area = importlib.import_module(area_name).area
    hub = Hub(address, task_hub=task_hub)
    area.gates = hub.gates
    worker = new_worker(address, task_hub)
    area.register(worker)
    answers = Answers()
    if area.orchestrators:
        worker.start()
    for line in sys.stdin:
        threading.Thread(
            target=answer, args=(area, hub, json.loads(line), answers), daemon=True
        ).start()
    worker.stop()


main(*sys.argv[1:])
