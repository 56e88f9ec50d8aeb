// An operator on mesos-go's library of the v1 API, which speaks protobuf: asks the master, and each of
// its agents, all that can be asked, sees itself subscribed, and turns the log up.
//
// Usage: go_operator HOST:PORT. Prints one line of JSON that says what it heard, for the test to
// judge.
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/agent"
	agentcalls "github.com/mesos/mesos-go/api/v1/lib/agent/calls"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpagent"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpmaster"
	"github.com/mesos/mesos-go/api/v1/lib/master"
	"github.com/mesos/mesos-go/api/v1/lib/master/calls"
)

// What was heard.
type saw struct {
	Errors  []string            `json:"errors"`
	Version string              `json:"version"`
	Port    int32               `json:"port"`
	Active  []bool              `json:"active"`
	Parts   []bool              `json:"parts"`
	Metrics map[string]float64  `json:"metrics"`
	Events  []string            `json:"events"`
	Agents  map[string][]string `json:"agents"`
}

type operator struct {
	saw    saw
	ctx    context.Context
	sender calls.Sender
}

// Asks the master; what it answers is empty where the call failed, which is noted.
func (o *operator) ask(call *master.Call) *master.Response {
	answer := new(master.Response)
	response, err := o.sender.Send(o.ctx, calls.NonStreaming(call))
	if err == nil {
		defer response.Close()
		err = response.Decode(answer)
	}
	o.note(call.GetType().String(), err)
	return answer
}

// Makes a call of the master that is answered by its status alone.
func (o *operator) order(call *master.Call) {
	o.note(call.GetType().String(), calls.SendNoData(o.ctx, o.sender, calls.NonStreaming(call)))
}

func (o *operator) note(call string, err error) {
	if err != nil {
		o.saw.Errors = append(o.saw.Errors, call+": "+err.Error())
	}
}

// Asks an agent everything; notes the types of its answers.
func (o *operator) inspect(place string) {
	sender := httpagent.NewSender(httpcli.New(httpcli.Endpoint("http://" + place + "/api/v1")).Send)
	for _, call := range []*agent.Call{
		agentcalls.GetHealth(), agentcalls.GetFlags(), agentcalls.GetVersion(),
		agentcalls.GetMetrics(nil), agentcalls.GetLoggingLevel(), agentcalls.GetState(),
		agentcalls.GetContainers(), agentcalls.GetFrameworks(), agentcalls.GetExecutors(),
		agentcalls.GetTasks(), agentcalls.GetAgent(),
	} {
		response, err := sender.Send(o.ctx, agentcalls.NonStreaming(call))
		var answer agent.Response
		if err == nil {
			err = response.Decode(&answer)
			response.Close()
		}
		o.note(place+" "+call.GetType().String(), err)
		if err == nil {
			o.saw.Agents[place] = append(o.saw.Agents[place], answer.GetType().String())
		}
	}
}

// Notes the first events of a subscription.
func (o *operator) watch() {
	response, err := o.sender.Send(o.ctx, calls.NonStreaming(calls.Subscribe()))
	o.note("SUBSCRIBE", err)
	if err != nil {
		return
	}
	defer response.Close()
	for len(o.saw.Events) < 2 {
		var event master.Event
		if err := response.Decode(&event); err != nil {
			o.note("SUBSCRIBE", err)
			return
		}
		o.saw.Events = append(o.saw.Events, event.GetType().String())
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	endpoint := httpcli.Endpoint("http://" + os.Args[1] + "/api/v1")
	o := &operator{
		saw: saw{
			Errors: []string{}, Metrics: map[string]float64{}, Agents: map[string][]string{},
		},
		ctx:    ctx,
		sender: httpmaster.NewSender(httpcli.New(endpoint).Send),
	}
	o.ask(calls.GetHealth())
	o.ask(calls.GetFlags())
	o.saw.Version = o.ask(calls.GetVersion()).GetGetVersion().GetVersionInfo().Version
	patience := 5 * time.Second
	for _, metric := range o.ask(calls.GetMetrics(&patience)).GetGetMetrics().GetMetrics() {
		if strings.HasPrefix(metric.Name, "master/slaves_") {
			o.saw.Metrics[metric.Name] = metric.GetValue()
		}
	}
	o.order(calls.SetLoggingLevel(1, time.Second))
	o.ask(calls.GetLoggingLevel())
	state := o.ask(calls.GetState()).GetGetState()
	o.saw.Parts = []bool{
		state.GetGetTasks() != nil, state.GetGetExecutors() != nil,
		state.GetGetFrameworks() != nil, state.GetGetAgents() != nil,
	}
	o.ask(calls.GetFrameworks())
	o.ask(calls.GetExecutors())
	o.ask(calls.GetTasks())
	o.ask(calls.GetRoles())
	o.order(calls.UpdateWeights(mesos.WeightInfo{Role: &[]string{"dev"}[0], Weight: 2}))
	o.ask(calls.GetWeights())
	o.saw.Port = int32(o.ask(calls.GetMaster()).GetGetMaster().GetMasterInfo().GetPort())
	o.ask(calls.GetMaintenanceStatus())
	o.ask(calls.GetMaintenanceSchedule())
	o.ask(calls.GetQuota())
	for _, known := range o.ask(calls.GetAgents()).GetGetAgents().GetAgents() {
		o.saw.Active = append(o.saw.Active, known.Active)
		_, place, _ := strings.Cut(known.GetPID(), "@")
		o.inspect(place)
	}
	o.watch()
	_ = json.NewEncoder(os.Stdout).Encode(o.saw)
}
