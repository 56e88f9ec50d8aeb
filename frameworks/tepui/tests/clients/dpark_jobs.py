"""Jobs of DPark, a framework for computing on sets of data with an executor of its own.

Usage: dpark_jobs.py HOST:PORT, not as root, which DPark refuses. Prints one line of JSON that says
what came out, for the test to judge. What comes out is compared here with what the same words give
without a cluster. Its executor looks once a second for tasks whose process has ended, and takes one
whose result is still on the way for lost; with one agent there is then none it would try it on. Such
a run ends by itself, with `lost`.
"""

import collections
import json
import logging
import os
import random
import sys
import threading

master = sys.argv.pop()

from dpark import DparkContext  # it reads the arguments when it is imported

SLICES = 6
MIB = 1 << 20
HEAVY = 3  # tasks that carry data; one call launches all of them, and has at most 16 MiB
PIECE = 3 * MIB  # what each of them carries, in bytes; a third more in base64
PATIENCE = 20  # seconds from a task that was lost to giving up


class Lost(logging.Handler):
    """Ends the run when a task was lost: DPark says so nowhere but in its log."""

    def emit(self, record):
        if str(record.msg).startswith("Lost Task"):
            timer = threading.Timer(PATIENCE, self.give_up, [record.getMessage()])
            timer.daemon = True
            timer.start()

    def give_up(self, message):
        print(json.dumps({"lost": message}), flush=True)
        os._exit(0)


def words(number):
    """A thousand words, the same on every machine."""
    chance = random.Random(number)
    return ["word%d" % chance.randrange(50) for _ in range(1000)]


context = DparkContext(master)
context.setLogLevel("INFO")
logging.getLogger("dpark.job").addHandler(Lost())

counted = context.parallelize(range(SLICES), SLICES).flatMap(words).map(lambda word: (word, 1))
counted = dict(counted.reduceByKey(lambda a, b: a + b, 3).collect())
expected = collections.Counter(word for number in range(SLICES) for word in words(number))

# Each task carries its part of this, where else DPark has another way, which hangs in itself.
context.data_limit = 16 * MIB
heavy = [os.urandom(PIECE) for _ in range(HEAVY)]
lengths = context.parallelize(heavy, HEAVY).map(len).collect()

total = context.accumulator(0)


def add(number):
    total.add(number)


context.parallelize(range(100), 4).foreach(add)
ordered = context.parallelize([5, 3, 9, 1, 7], 2).sort(numSplits=2).collect()
joined = context.parallelize([(1, "a"), (2, "b")], 2).join(context.parallelize([(1, "c")], 1), 2)
joined = joined.collect()
context.stop()

print(json.dumps({
    "words": counted == expected,
    "keys": len(counted),
    "lengths": lengths,
    "total": total.value,
    "ordered": ordered,
    "joined": [[key, list(pair)] for key, pair in joined],
}))
sys.stdout.flush()
os._exit(0)  # its threads would go on
