"""A scheduler on pymesos that finds its master through ZooKeeper, and the next one.

Usage: pymesos_zookeeper.py zk://HOST:PORT,…/PATH. Prints `running` when its task runs: that is the
moment to end the leading master. It then waits to be taken in by another, asks after its task, kills
it, and prints one line of JSON that says what it saw.
"""

import json
import sys
import threading

from pymesos import MesosSchedulerDriver, Scheduler

TASK = {"value": "sleeps"}


class Follows(Scheduler):
    def __init__(self):
        self.masters = []
        self.ids = set()
        self.states = []
        self.reconciled = []
        self.errors = []
        self.launched = False
        self.came_back = threading.Event()
        self.known = threading.Event()
        self.over = threading.Event()

    def registered(self, driver, framework_id, master_info):
        self.masters.append(master_info["port"])
        self.ids.add(framework_id["value"])

    def reregistered(self, driver, master_info):
        self.masters.append(master_info["port"])
        self.ids.add(driver.framework_id)
        self.came_back.set()

    def error(self, driver, message):
        self.errors.append(message)
        self.over.set()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            if self.launched:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})
                continue
            self.launched = True
            driver.launchTasks(offer["id"], [{
                "task_id": TASK,
                "agent_id": offer["agent_id"],
                "name": "sleeps",
                "command": {"value": "sleep 1000"},
                "resources": [
                    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                    {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
                ],
            }])

    def statusUpdate(self, driver, status):
        state = status["state"]
        if status.get("reason") == "REASON_RECONCILIATION":
            self.reconciled.append(state)
            self.known.set()
            return
        driver.acknowledgeStatusUpdate(status)
        self.states.append(state)
        if state == "TASK_RUNNING" and len(self.masters) == 1:
            print("running", flush=True)
        if state == "TASK_KILLED":
            self.over.set()


scheduler = Follows()
framework = {"user": "root", "name": "pymesos-zk", "failover_timeout": 600, "checkpoint": True}
driver = MesosSchedulerDriver(scheduler, framework, sys.argv[1], implicit_acknowledgements=False)
driver.start()
if scheduler.came_back.wait(100):
    # A master that is new hears of the task from its agent, and answers only then.
    for _ in range(60):
        driver.reconcileTasks([{"task_id": TASK}])
        if scheduler.known.wait(1):
            break
    driver.killTask(TASK)
over = scheduler.over.wait(60)
framework_ids = len(scheduler.ids)
driver.stop()
driver.join()
print(json.dumps({
    "over": over,
    "masters": scheduler.masters,
    "ids": framework_ids,
    "states": scheduler.states,
    "reconciled": sorted(set(scheduler.reconciled)),
    "errors": scheduler.errors,
}), flush=True)
