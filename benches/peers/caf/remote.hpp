// The cases between two OS processes, over CAF's middleman.
#pragma once

#include <iostream>
#include <memory>

#include "common.hpp"

namespace {

struct sink_state {
  uint64_t count = 0;
};

behavior sink(stateful_actor<sink_state>* self) {
  return {
    [=](load_atom, const std::string&) { ++self->state.count; },
    [=](count_atom) { return self->state.count; },
    [](ask_atom, std::string& bytes) { return std::move(bytes); },
  };
}

struct echoer_state {
  uint64_t left;
  uint64_t unanswered;
  std::string payload;
  std::vector<uint64_t> times;
};

using times_ptr = std::shared_ptr<std::vector<uint64_t>>;

void echo_once(stateful_actor<echoer_state>* self, const actor& of, const actor& main,
               const times_ptr& times) {
  if (self->state.left == 0)
    return;
  --self->state.left;
  auto sent = clock_type::now();
  self->request(of, infinite, ask_atom::value, self->state.payload)
    .then([=](const std::string&) {
      std::chrono::nanoseconds took = clock_type::now() - sent;
      times->push_back(static_cast<uint64_t>(took.count()));
      if (--self->state.unanswered == 0)
        self->send(main, done_atom::value);
      else
        echo_once(self, of, main, times);
    });
}

behavior echoer(stateful_actor<echoer_state>* self, actor main, actor of, uint64_t count,
                uint64_t in_flight, times_ptr times) {
  self->state.left = self->state.unanswered = count;
  self->state.payload = std::string(100, '7');
  return {
    [=](begin_atom) {
      for (uint64_t i = 0; i < in_flight; ++i)
        echo_once(self, of, main, times);
    },
  };
}

uint64_t counted(scoped_actor& main, const actor& of) {
  uint64_t result = 0;
  main->request(of, infinite, count_atom::value)
    .receive([&](uint64_t count) { result = count; }, [](error&) { std::exit(1); });
  return result;
}

int measure(actor_system& system, uint16_t port, const std::string& name, uint64_t count) {
  auto found = system.middleman().remote_actor("127.0.0.1", port);
  if (!found) {
    std::cerr << system.render(found.error()) << std::endl;
    return 1;
  }
  auto of = *found;
  scoped_actor main{system};
  const std::string way = "one-way-";
  if (name.rfind(way, 0) == 0) {
    std::string payload(std::stoul(name.substr(way.size())), '7');
    auto before = counted(main, of);
    auto began = clock_type::now();
    for (uint64_t i = 0; i < count; ++i)
      main->send(of, load_atom::value, payload);
    auto after = counted(main, of);
    auto figure = each(began, count);
    if (after - before != count)
      return 1;
    std::printf("caf-io %s 1 %.2f\n", name.c_str(), figure);
    return 0;
  }
  auto times = std::make_shared<std::vector<uint64_t>>();
  times->reserve(count);
  uint64_t in_flight = name == "ask-100" ? many : 1;
  counted(main, of);
  auto asking = main->spawn(echoer, actor_cast<actor>(main), of, count, in_flight, times);
  auto began = clock_type::now();
  main->send(asking, begin_atom::value);
  main->receive([](done_atom) {});
  auto figure = each(began, count);
  std::sort(times->begin(), times->end());
  auto at = [&](double share) {
    auto place = static_cast<size_t>(share * static_cast<double>(times->size()));
    return static_cast<unsigned long long>((*times)[std::min(place, times->size() - 1)]);
  };
  std::printf("caf-io %s 1 %.2f %llu %llu %llu\n", name.c_str(), figure, at(0.5), at(0.99),
              at(0.999));
  return 0;
}

} // namespace
