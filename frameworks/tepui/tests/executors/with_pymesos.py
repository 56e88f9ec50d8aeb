"""The executor of plain.py, but for hanging up, on pymesos's driver."""

import sys
import time

from addict import Dict
from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class Reverser(Executor):
    def registered(self, driver, executor, framework, agent):
        print("registered", executor.executor_id.value, agent.hostname, flush=True)

    def reregistered(self, driver, agent):
        print("reregistered", flush=True)

    def disconnected(self, driver):
        print("disconnected", flush=True)

    def launchTask(self, driver, task):
        data = decode_data(task.data) if "data" in task else b""
        self.update(driver, task.task_id, "TASK_RUNNING")
        driver.sendFrameworkMessage(encode_data(b"hello:" + data))
        if data != b"stay":
            self.update(driver, task.task_id, "TASK_FINISHED", data=encode_data(data[::-1]))

    def killTask(self, driver, task_id):
        self.update(driver, task_id, "TASK_KILLED")

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(encode_data(b"echo:" + decode_data(message)))

    def shutdown(self, driver):
        print("shutdown", flush=True)

    def error(self, driver, message):
        print("error", message, file=sys.stderr, flush=True)

    def update(self, driver, task_id, state, **more):
        status = Dict(task_id=dict(value=task_id.value), state=state, **more)
        status.timestamp = time.time()
        driver.sendStatusUpdate(status)


if __name__ == "__main__":
    MesosExecutorDriver(Reverser(), use_addict=True).run()
