/**
 * A scheduler on mesos-framework, of Node: runs commands with ports, kills one, and ends.
 *
 * Usage: node node_scheduler.js HOST:PORT, with NODE_PATH set to where the client is installed.
 * Prints one line of JSON that says what it saw, for the test to judge. The client is the strictest
 * of all about frames: it takes each piece that comes for one record, and any status but 202 for
 * an error.
 */
"use strict";

// The client writes its log beneath the directory it finds itself in.
process.chdir(require("fs").mkdtempSync(require("path").join(require("os").tmpdir(), "node-")));

const { Scheduler, Mesos } = require("mesos-framework");

const mesos = Mesos.getMesos();
const [host, port] = process.argv[2].split(":");
const COMMANDS = { ends: "exit 0", shows: 'test "$WORD" = hello', sleeps: "sleep 1000" };

const saw = { states: {}, ports: {}, errors: [], heartbeats: 0, offers: 0, calls: [] };
const agents = {};
const kinds = {};

const tasks = {};
for (const [name, command] of Object.entries(COMMANDS)) {
    const word = new mesos.Environment([new mesos.Environment.Variable("WORD", "hello")]);
    tasks[name] = {
        commandInfo: new mesos.CommandInfo(null, word, true, command, null, null),
        resources: { cpus: 0.1, mem: 32, ports: 2, disk: 0 },
        instances: 1,
    };
}

const scheduler = new Scheduler({
    masterUrl: host,
    port: port,
    frameworkName: "node",
    masterConnectionTimeout: 60,
    frameworkFailoverTimeout: 60,
    logging: { level: "error" },
    restartStates: [],
    tasks: tasks,
});

function end() {
    console.log(JSON.stringify(saw));
    process.exit(0);
}

function last(name) {
    return (saw.states[name] || []).slice(-1)[0];
}

scheduler.on("ready", () => scheduler.subscribe());
scheduler.on("subscribed", (event) => (saw.framework_id = event.frameworkId));
scheduler.on("heartbeat", () => (saw.heartbeats += 1));
scheduler.on("offers", () => (saw.offers += 1));
// The master closes the stream of a framework that is done, perhaps before it answers the call.
let done = false;
scheduler.on("error", (error) => done || saw.errors.push(error.message || error));
for (const call of ["accept", "decline", "acknowledge", "kill", "teardown"]) {
    scheduler.on("sent_" + call, () => {
        kinds[call] = true;
        saw.calls = Object.keys(kinds).sort();
        if (call === "teardown") {
            end();
        }
    });
}

scheduler.on("update", ({ status }) => {
    const name = status.task_id.value.split(".")[1].replace(/-\d+$/, "");
    saw.states[name] = (saw.states[name] || []).concat(status.state);
    agents[name] = status.agent_id.value;
    if (status.state === "TASK_RUNNING") {
        const task = scheduler.launchedTasks.find((task) => task.taskId === status.task_id.value);
        saw.ports[name] = task.runtimeInfo.network.ports.length;
        if (name === "sleeps") {
            scheduler.kill(status.task_id.value, status.agent_id.value);
        }
    }
    const over = last("ends") === "TASK_FINISHED" && last("shows") === "TASK_FINISHED";
    if (over && last("sleeps") === "TASK_KILLED") {
        done = true;
        scheduler.teardown();
    }
});

setTimeout(() => {
    saw.errors.push("out of time");
    end();
}, 100 * 1000);
