"""A scheduler on pymesos: runs commands, kills one, loses its connection, and comes back.

Usage: pymesos_scheduler.py HOST:PORT. Prints one line of JSON that says what it saw, for the test
to judge. Only what the client itself offers is used.
"""

import json
import sys
import threading
import urllib.request

from pymesos import MesosSchedulerDriver, Scheduler

MASTER = sys.argv[1]
COMMANDS = {
    "ends": "true",
    "fails": "exit 3",
    "shows:variable": 'test "$WORD" = hello',
    "sleeps": "sleep 1000",
}
LAST = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED")


def task(name, offer):
    return {
        "task_id": {"value": name},
        "agent_id": offer["agent_id"],
        "name": name,
        "command": {
            "value": COMMANDS[name],
            "environment": {"variables": [{"name": "WORD", "value": "hello"}]},
        },
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            # What some frameworks ask for, though there is none.
            {"name": "gpus", "type": "SCALAR", "scalar": {"value": 0.0}},
        ],
    }


class Commands(Scheduler):
    def __init__(self):
        self.waiting = list(COMMANDS)
        self.states = {}
        self.reconciled = {}
        self.errors = []
        self.heartbeats = 0
        self.subscriptions = []
        self.lost = threading.Event()
        self.came_back = threading.Event()
        self.over = threading.Event()

    def registered(self, driver, framework_id, master_info):
        self.subscriptions.append(framework_id["value"])
        self.version = master_info["version"]

    def reregistered(self, driver, master_info):
        self.subscriptions.append(driver.framework_id)
        self.came_back.set()

    def disconnected(self, driver):
        self.lost.set()

    def processHeartBeat(self, driver):
        self.heartbeats += 1

    def error(self, driver, message):
        self.errors.append(message)
        self.over.set()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = [task(name, offer) for name in self.waiting]
            self.waiting = []
            filters = {"refuse_seconds": 1}
            if tasks:
                driver.launchTasks(offer["id"], tasks, filters)
            else:
                driver.declineOffer(offer["id"], filters)

    def statusUpdate(self, driver, status):
        name, state = status["task_id"]["value"], status["state"]
        if status.get("reason") == "REASON_RECONCILIATION":
            self.reconciled[name] = state
            if name == "nobody":
                self.came_back.wait(60)
                driver.killTask({"value": "sleeps"})
        else:
            driver.acknowledgeStatusUpdate(status)
            self.states.setdefault(name, []).append(state)
        ended = [name for name, seen in self.states.items() if seen[-1] in LAST]
        if len(ended) == len(COMMANDS):
            self.over.set()


def pages(path):
    with urllib.request.urlopen("http://%s%s" % (MASTER, path), timeout=10) as page:
        return json.load(page)


scheduler = Commands()
framework = {"user": "root", "name": "pymesos", "failover_timeout": 60, "checkpoint": True}
driver = MesosSchedulerDriver(scheduler, framework, MASTER, implicit_acknowledgements=False)
driver.start()


def interrupt():
    """Cuts the stream once the task that sleeps runs: the client has to come back by itself."""
    while "TASK_RUNNING" not in scheduler.states.get("sleeps", []):
        if scheduler.over.wait(0.1):
            return
    driver.change_master(None)
    # It takes no notice of a master that is the same when it looks.
    scheduler.lost.wait(30)
    driver.change_master(MASTER)
    scheduler.came_back.wait(60)
    driver.reconcileTasks([{"task_id": {"value": "sleeps"}}, {"task_id": {"value": "nobody"}}])


threading.Thread(target=interrupt, daemon=True).start()
over = scheduler.over.wait(100)
state = pages("/state")
running = [f["name"] for f in state.get("frameworks", []) if f["id"] == driver.framework_id]
framework_id = driver.framework_id
driver.stop()
driver.join()
completed = []
for _ in range(100):
    state = pages("/master/state.json")
    completed = [f["name"] for f in state["completed_frameworks"] if f["id"] == framework_id]
    if completed:
        break
print(json.dumps({
    "over": over,
    "version": scheduler.version,
    "subscriptions": len(scheduler.subscriptions),
    "same_id": len(set(scheduler.subscriptions)) == 1,
    "states": scheduler.states,
    "reconciled": scheduler.reconciled,
    "errors": scheduler.errors,
    "heartbeats": scheduler.heartbeats,
    "running": running,
    "completed": completed,
}))
