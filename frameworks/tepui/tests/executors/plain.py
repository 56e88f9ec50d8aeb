"""An executor of the v1 API with nothing but Python's own library.

A task of the data `stay` runs until it is killed, any other one finishes with its data reversed.
Words of the framework are echoed; `again` makes the executor hang up and subscribe once more.
"""

import base64
import http.client
import json
import os
import sys
import time
import uuid

ENDPOINT = os.environ["MESOS_AGENT_ENDPOINT"]
IDS = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}

tasks = {}  # of which no news is acknowledged
updates = {}  # that are not acknowledged, by uuid


def post(kind, body):
    """Makes a call; gives the connection and its response."""
    connection = http.client.HTTPConnection(ENDPOINT)
    call = dict(IDS, type=kind, **{kind.lower(): body})
    connection.request("POST", "/slave(1)/api/v1/executor", json.dumps(call), HEADERS)
    return connection, connection.getresponse()


def tell(kind, body):
    connection, response = post(kind, body)
    text = response.read()
    assert (response.status, text) == (202, b""), (response.status, text)
    connection.close()


def update(task_id, state, **more):
    status = {
        "task_id": task_id,
        "executor_id": IDS["executor_id"],
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
        "timestamp": time.time(),
    }
    updates[status["uuid"]] = {"status": dict(status, **more)}
    tell("UPDATE", updates[status["uuid"]])


def say(words):
    tell("MESSAGE", {"data": base64.b64encode(words).decode()})


def launch(task):
    tasks[task["task_id"]["value"]] = task
    data = base64.b64decode(task.get("data", ""))
    update(task["task_id"], "TASK_RUNNING")
    say(b"hello:" + data)
    if data == b"die":
        os._exit(3)
    if data != b"stay":
        reverse = base64.b64encode(data[::-1]).decode()
        update(task["task_id"], "TASK_FINISHED", data=reverse)


def records(response):
    while True:
        length = response.readline()
        if not length:
            return
        yield json.loads(response.read(int(length)))


def serve(times):
    """Serves one subscription; false when it is the last one."""
    subscribe = {
        "unacknowledged_tasks": list(tasks.values()),
        "unacknowledged_updates": list(updates.values()),
    }
    connection, response = post("SUBSCRIBE", subscribe)
    assert response.status == 200, response.read()
    for event in records(response):
        kind = event["type"]
        if kind == "SUBSCRIBED":
            subscribed = event["subscribed"]
            assert subscribed["executor_info"]["executor_id"] == IDS["executor_id"]
            assert subscribed["framework_info"]["id"] == IDS["framework_id"]
            if times > 0:
                say(b"back")
        elif kind == "LAUNCH":
            launch(event["launch"]["task"])
        elif kind == "ACKNOWLEDGED":
            updates.pop(event["acknowledged"]["uuid"], None)
            tasks.pop(event["acknowledged"]["task_id"]["value"], None)
        elif kind == "KILL":
            update(event["kill"]["task_id"], "TASK_KILLED")
        elif kind == "MESSAGE":
            words = base64.b64decode(event["message"]["data"])
            if words == b"again":
                connection.close()
                response.close()
                return True
            say(b"echo:" + words)
        elif kind == "SHUTDOWN":
            return False
    return False


if __name__ == "__main__":
    times = 0
    while serve(times):
        times += 1
    print("done")
    sys.exit(0)
