"""A program of MPI on a cluster: each proxy of MPICH's hydra is one task of a pymesos scheduler.

Usage: mpi_hydra.py PROGRAM PROCESSES HOST:PORT. Prints one line of JSON that says what it saw, for
the test to judge. `mpiexec -launcher manual` says which command it wants run on which host, waits
until those have called back, and then runs the program through them.
"""

import json
import subprocess
import sys
import threading

from addict import Dict
from pymesos import MesosSchedulerDriver, Scheduler

PROGRAM, PROCESSES, MASTER = sys.argv[1:]
# Two names of this machine: a proxy each.
HOSTS = "127.0.0.1,localhost"
LAUNCH, LAUNCH_END = "HYDRA_LAUNCH: ", "HYDRA_LAUNCH_END"
LAST = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")


class Proxies(Scheduler):
    def __init__(self, commands):
        self.count = len(commands)
        self.waiting = list(enumerate(commands))
        self.states = {}
        self.agents = set()
        self.over = threading.Event()

    def registered(self, driver, framework_id, master_info):
        pass

    def processHeartBeat(self, driver):
        pass

    def error(self, driver, message):
        print(message, file=sys.stderr)

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = []
            if self.waiting:
                # One an offer, so that they come to lie on several agents.
                number, command = self.waiting.pop(0)
                task = Dict(name="hydra_pmi_proxy", agent_id=offer.agent_id)
                task.task_id.value = "proxy-%d" % number
                task.command.value = command
                task.resources = [
                    Dict(name="cpus", type="SCALAR", scalar=Dict(value=0.2)),
                    Dict(name="mem", type="SCALAR", scalar=Dict(value=64)),
                ]
                tasks.append(task)
                self.agents.add(offer.agent_id.value)
            driver.launchTasks(offer.id, tasks, Dict(refuse_seconds=1))

    def statusUpdate(self, driver, status):
        self.states[status.task_id.value] = status.state
        ended = [state for state in self.states.values() if state in LAST]
        if len(ended) == self.count:
            self.over.set()


words = ["mpiexec.hydra", "-launcher", "manual", "-hosts", HOSTS, "-n", PROCESSES, PROGRAM]
mpiexec = subprocess.Popen(words, stdout=subprocess.PIPE, universal_newlines=True)
commands = []
for line in mpiexec.stdout:
    if line.startswith(LAUNCH_END):
        break
    if line.startswith(LAUNCH):
        commands.append(line[len(LAUNCH):].strip())
proxies = Proxies(commands)
framework = Dict(user="root", name="mpi", hostname="localhost")
driver = MesosSchedulerDriver(proxies, framework, MASTER, use_addict=True)
driver.start()
output = mpiexec.stdout.read()
code = mpiexec.wait(60)
over = proxies.over.wait(30)
driver.stop()
driver.join()
print(json.dumps({
    "output": output.strip().splitlines(),
    "code": code,
    "over": over,
    "states": proxies.states,
    "agents": len(proxies.agents),
}))
