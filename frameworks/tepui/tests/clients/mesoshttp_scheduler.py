"""A scheduler on mesoshttp: runs commands, kills one, says a word of a task nobody knows, and ends.

Usage: mesoshttp_scheduler.py HOST:PORT. Prints one line of JSON that says what it saw, for the
test to judge. The client sends v0 names (`slave_id`) to the v1 API, asks for gzip with every call,
and sees a record when the next one begins.
"""

import json
import sys
import threading

from mesoshttp.client import MesosClient

COMMANDS = {"ends": "true", "fails": "exit 3", "sleeps": "sleep 1000"}
LAST = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED")

states = {}
reconciled = {}
waiting = list(COMMANDS)
subscribed = threading.Event()
over = threading.Event()
client = MesosClient(
    mesos_urls=["http://" + sys.argv[1]], frameworkName="mesoshttp", frameworkUser="root"
)
client.set_credentials("nobody", "an unknown field")
client.set_failover_timeout(60)


def task(name):
    return {
        "name": name,
        "task_id": {"value": name},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
        ],
        "command": {"value": COMMANDS[name]},
    }


def on_subscribed(driver):
    subscribed.set()


def on_offers(offers):
    for offer in offers:
        if waiting:
            offer.accept([task(name) for name in waiting])
            waiting.clear()
        else:
            offer.decline({"filters": {"refuse_seconds": 1}})


def on_update(update):
    # The client has acknowledged it already.
    status = update["status"]
    name, state = status["task_id"]["value"], status["state"]
    if status.get("reason") == "REASON_RECONCILIATION":
        reconciled[name] = state
    else:
        states.setdefault(name, []).append(state)
    driver = client.get_driver()
    if name == "sleeps" and state == "TASK_RUNNING":
        driver.reconcile([{"task_id": {"value": "nobody"}, "agent_id": status["agent_id"]}])
        driver.kill(status["agent_id"]["value"], name)
    ended = [seen for seen in states.values() if seen[-1] in LAST]
    if len(ended) == len(COMMANDS) and reconciled:
        over.set()


client.on(MesosClient.SUBSCRIBED, on_subscribed)
client.on(MesosClient.OFFERS, on_offers)
client.on(MesosClient.UPDATE, on_update)
threading.Thread(target=client.register, daemon=True).start()
answers = {"subscribed": subscribed.wait(10), "over": over.wait(100)}
answers["version"] = (client.get_master_info() or {}).get("version")
client.get_driver().tearDown()
answers.update(states=states, reconciled=reconciled)
print(json.dumps(answers))
