"""A workflow of Toil: one job makes five, whose squares another adds up.

Usage: toil_jobs.py DIRECTORY HOST:PORT. Prints one line of JSON with the sum, for the test to judge.
"""

import json
import sys

from toil.common import Toil
from toil.job import Job

NEED = {"cores": 0.2, "memory": "64M", "disk": "10M"}


def square(job, number):
    return number * number


def add(job, numbers):
    return sum(numbers)


def begin(job):
    squares = [job.addChildJobFn(square, number, **NEED).rv() for number in range(5)]
    return job.addFollowOnJobFn(add, squares, **NEED).rv()


if __name__ == "__main__":
    directory, master = sys.argv[1:]
    options = Job.Runner.getDefaultArgumentParser().parse_args([
        "file:%s/jobs" % directory,
        "--workDir=%s" % directory,
        "--batchSystem=mesos",
        "--mesosEndpoint=%s" % master,
        "--caching=False",
        "--publishWorkflowMetrics=no",
        "--logInfo",
    ])
    with Toil(options) as toil:
        total = toil.start(Job.wrapJobFn(begin, **NEED))
    print(json.dumps({"sum": total}))
