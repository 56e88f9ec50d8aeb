// A scheduler on mesos-go's library of the v1 API, which speaks protobuf: runs commands, kills one,
// declines without naming an offer, reconciles, and ends.
//
// Usage: go_scheduler HOST:PORT. Prints one line of JSON that says what it saw, for the test to
// judge.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/backoff"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

const role = "go"

// What is run, in this order.
var commands = []struct{ name, line string }{
	{"ends", "exit 0"},
	{"fails", "exit 3"},
	{"sleeps", "sleep 1000"},
}

// What was seen.
type saw struct {
	States     map[string][]string `json:"states"`
	Reconciled map[string]string   `json:"reconciled"`
	Roles      []string            `json:"roles"`
	Errors     []string            `json:"errors"`
	Heartbeats int                 `json:"heartbeats"`
	Version    string              `json:"version"`
}

type framework struct {
	saw      saw
	id       store.Singleton
	caller   calls.Caller
	ctx      context.Context
	cancel   context.CancelFunc
	launched bool
}

func (f *framework) call(call *scheduler.Call) {
	if id, _ := f.id.Get(); id != "" {
		call.FrameworkID = &mesos.FrameworkID{Value: id}
	}
	if err := calls.CallNoData(f.ctx, f.caller, call); err != nil {
		f.saw.Errors = append(f.saw.Errors, fmt.Sprintf("%v: %v", call.GetType(), err))
	}
}

func (f *framework) offered(offers []mesos.Offer) {
	for i := range offers {
		offer := &offers[i]
		f.saw.Roles = append(f.saw.Roles, offer.AllocationInfo.GetRole())
		if f.launched {
			f.call(calls.Decline(offer.ID))
			continue
		}
		f.launched = true
		tasks, left := []mesos.TaskInfo{}, mesos.Resources(offer.Resources)
		for _, command := range commands {
			shell, line := true, command.line
			need := mesos.Resources{
				resources.NewCPUs(0.1).Resource, resources.NewMemory(32).Resource,
			}
			found := resources.Find(need, left...)
			left.Subtract(found...)
			tasks = append(tasks, mesos.TaskInfo{
				Name:      command.name,
				TaskID:    mesos.TaskID{Value: command.name},
				AgentID:   offer.AgentID,
				Command:   &mesos.CommandInfo{Shell: &shell, Value: &line},
				Resources: found,
			})
		}
		launch := calls.OfferOperations{calls.OpLaunch(tasks...)}
		f.call(calls.Accept(launch.WithOffers(offer.ID)))
		// As some programs of this library do.
		f.call(calls.Decline())
	}
}

func (f *framework) updated(status mesos.TaskStatus) {
	task, state := status.TaskID.Value, status.GetState().String()
	if status.GetReason() == mesos.REASON_RECONCILIATION {
		f.saw.Reconciled[task] = state
	} else {
		f.saw.States[task] = append(f.saw.States[task], state)
	}
	if len(status.GetUUID()) > 0 {
		f.call(calls.Acknowledge(status.GetAgentID().GetValue(), task, status.GetUUID()))
	}
	if task == "sleeps" && state == "TASK_RUNNING" && len(f.saw.Reconciled) == 0 {
		f.call(calls.Reconcile(calls.ReconcileTasks(map[string]string{"nobody": ""})))
		f.call(calls.Kill("sleeps", ""))
	}
	ended := 0
	for _, states := range f.saw.States {
		switch states[len(states)-1] {
		case "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED":
			ended++
		}
	}
	if ended == len(commands) && len(f.saw.Reconciled) == 1 {
		f.call(&scheduler.Call{Type: scheduler.Call_TEARDOWN})
		f.cancel()
	}
}

func (f *framework) HandleEvent(_ context.Context, event *scheduler.Event) error {
	switch event.GetType() {
	case scheduler.Event_SUBSCRIBED:
		_ = f.id.Set(event.GetSubscribed().GetFrameworkID().GetValue())
		f.saw.Version = event.GetSubscribed().GetMasterInfo().GetVersion()
	case scheduler.Event_HEARTBEAT:
		f.saw.Heartbeats++
	case scheduler.Event_OFFERS:
		f.offered(event.GetOffers().GetOffers())
	case scheduler.Event_UPDATE:
		f.updated(event.GetUpdate().GetStatus())
	case scheduler.Event_ERROR:
		f.saw.Errors = append(f.saw.Errors, event.GetError().GetMessage())
		f.cancel()
	}
	return nil
}

func main() {
	endpoint := httpcli.Endpoint("http://" + os.Args[1] + "/api/v1/scheduler")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	f := &framework{
		saw:    saw{States: map[string][]string{}, Reconciled: map[string]string{}, Errors: []string{}},
		id:     store.NewInMemorySingleton(),
		caller: httpsched.NewCaller(httpcli.New(endpoint)),
		ctx:    ctx,
		cancel: cancel,
	}
	info := &mesos.FrameworkInfo{User: "root", Name: "go", Roles: []string{role}}
	for _, capability := range []mesos.FrameworkInfo_Capability_Type{
		mesos.FrameworkInfo_Capability_MULTI_ROLE,
		mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesos.FrameworkInfo_Capability_PARTITION_AWARE,
	} {
		info.Capabilities = append(info.Capabilities, mesos.FrameworkInfo_Capability{Type: capability})
	}
	again := backoff.Notifier(time.Second, 5*time.Second, ctx.Done())
	_ = controller.Run(ctx, info, f.caller,
		controller.WithEventHandler(events.Handler(f)),
		controller.WithFrameworkID(store.GetIgnoreErrors(f.id)),
		controller.WithRegistrationTokens(again))
	_ = json.NewEncoder(os.Stdout).Encode(f.saw)
}
