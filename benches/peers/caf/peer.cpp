// CAF actors (0.17, as Debian has it): event-based ones that send and request. Called as the peers
// in Rust are (see common/src/lib.rs).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "caf/all.hpp"
#include "caf/io/all.hpp"

using namespace caf;

namespace {

constexpr uint64_t round_trips = 200000, one_way = 2000000, burst = 1000, senders = 4,
                   fan_in_each = 500000, ring_actors = 1000, ring_hops = 1000000,
                   children = 100000, big_actors = 100, big_pings = 5000, asks = 200000,
                   many_asks = 500000, many = 100, burners = 64, burns = 1000, idlers = 100000;
constexpr uint32_t burn_steps = 2250;
constexpr double warm_up = 0.1;

using clock_type = std::chrono::steady_clock;

double each(clock_type::time_point began, uint64_t count) {
  std::chrono::duration<double, std::nano> elapsed = clock_type::now() - began;
  return elapsed.count() / static_cast<double>(count);
}

uint64_t resident_bytes() {
  std::ifstream status{"/proc/self/status"};
  std::string line;
  while (std::getline(status, line))
    if (line.rfind("VmRSS:", 0) == 0)
      return std::stoull(line.substr(6)) * 1024;
  return 0;
}

// The same cheap generator everywhere that "big" is measured (xorshift).
struct generator {
  uint64_t state;
  size_t below(size_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
  }
};

uint64_t burn(uint64_t state) {
  for (uint32_t step = 0; step < burn_steps; ++step) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  return state;
}

using meet_atom = atom_constant<atom("meet")>;
using ball_atom = atom_constant<atom("ball")>;
using burst_atom = atom_constant<atom("burst")>;
using leave_atom = atom_constant<atom("leave")>;
using begin_atom = atom_constant<atom("begin")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using ask_atom = atom_constant<atom("ask")>;
using count_atom = atom_constant<atom("count")>;
using load_atom = atom_constant<atom("load")>;
using done_atom = atom_constant<atom("done")>;

struct neighbour_state {
  actor next;
};

// Of the ping-pong and of the ring: passes on what is left of it.
behavior neighbour(stateful_actor<neighbour_state>* self, actor main) {
  return {
    [=](meet_atom, const actor& next) { self->state.next = next; },
    [=](ball_atom, uint64_t left) {
      if (left == 0)
        self->send(main, done_atom::value);
      else
        self->send(self->state.next, ball_atom::value, left - 1);
    },
    // An actor that is known to another never goes by itself.
    [=](leave_atom) {
      self->state.next = nullptr;
      self->quit();
    },
  };
}

double pass_round(scoped_actor& main, size_t actors, uint64_t hops, uint64_t count) {
  std::vector<actor> all;
  for (size_t i = 0; i < actors; ++i)
    all.push_back(main->spawn(neighbour, actor_cast<actor>(main)));
  for (size_t i = 0; i < actors; ++i)
    main->send(all[i], meet_atom::value, all[(i + 1) % actors]);
  auto began = clock_type::now();
  main->send(all[0], ball_atom::value, hops);
  main->receive([](done_atom) {});
  auto figure = each(began, count);
  for (auto& one : all)
    main->send(one, leave_atom::value);
  return figure;
}

struct receiver_state {
  uint64_t left;
};

behavior receiver(stateful_actor<receiver_state>* self, actor main, uint64_t count) {
  self->state.left = count;
  return {
    [=](load_atom, uint64_t) {
      if (--self->state.left == 0)
        self->send(main, done_atom::value);
    },
  };
}

struct sender_state {
  uint64_t left;
};

behavior sender(stateful_actor<sender_state>* self, actor to, uint64_t count) {
  self->state.left = count;
  return {
    [=](burst_atom) {
      for (uint64_t i = std::min(self->state.left, burst); i > 0; --i)
        self->send(to, load_atom::value, --self->state.left);
      if (self->state.left > 0)
        self->send(self, burst_atom::value);
      else
        self->quit();
    },
  };
}

double fan_in(scoped_actor& main, uint64_t many_senders, uint64_t messages) {
  auto count = many_senders * messages;
  auto to = main->spawn(receiver, actor_cast<actor>(main), count);
  std::vector<actor> all;
  for (uint64_t i = 0; i < many_senders; ++i)
    all.push_back(main->spawn(sender, to, messages));
  auto began = clock_type::now();
  for (auto& one : all)
    main->send(one, burst_atom::value);
  main->receive([](done_atom) {});
  return each(began, count);
}

behavior child(event_based_actor* self, actor main, std::shared_ptr<std::atomic<uint64_t>> left) {
  return {
    [=](leave_atom) {
      if (left->fetch_sub(1) == 1)
        self->send(main, done_atom::value);
      self->quit();
    },
  };
}

struct parent_state {
  uint64_t left;
};

behavior parent(stateful_actor<parent_state>* self, actor main, uint64_t count) {
  self->state.left = count;
  auto children_left = std::make_shared<std::atomic<uint64_t>>(count);
  return {
    [=](burst_atom) {
      for (uint64_t i = std::min(self->state.left, burst); i > 0; --i, --self->state.left)
        self->send(self->spawn<lazy_init>(child, main, children_left), leave_atom::value);
      if (self->state.left > 0)
        self->send(self, burst_atom::value);
      else
        self->quit();
    },
  };
}

double fork_join(scoped_actor& main, uint64_t count) {
  auto forker = main->spawn(parent, actor_cast<actor>(main), count);
  auto began = clock_type::now();
  main->send(forker, burst_atom::value);
  main->receive([](done_atom) {});
  return each(began, count);
}

struct guest_state {
  std::vector<actor> all;
  uint64_t left;
  generator random;
};

behavior guest(stateful_actor<guest_state>* self, actor main, uint64_t number, uint64_t pings) {
  self->state.left = pings;
  self->state.random.state = number * 7919 + 13;
  auto ping = [=] {
    auto& state = self->state;
    self->send(state.all[state.random.below(state.all.size())], ping_atom::value);
  };
  return {
    [=](meet_atom, const actor& other) { self->state.all.push_back(other); },
    [=](begin_atom) { ping(); },
    [=](ping_atom) { self->send(actor_cast<actor>(self->current_sender()), pong_atom::value); },
    [=](pong_atom) {
      if (--self->state.left == 0)
        self->send(main, done_atom::value);
      else
        ping();
    },
    [=](leave_atom) {
      self->state.all.clear();
      self->quit();
    },
  };
}

double big(scoped_actor& main, uint64_t pings) {
  std::vector<actor> all;
  for (uint64_t i = 0; i < big_actors; ++i)
    all.push_back(main->spawn(guest, actor_cast<actor>(main), i, pings));
  for (auto& one : all)
    for (auto& other : all)
      main->send(one, meet_atom::value, other);
  auto began = clock_type::now();
  for (auto& one : all)
    main->send(one, begin_atom::value);
  for (uint64_t i = 0; i < big_actors; ++i)
    main->receive([](done_atom) {});
  auto figure = each(began, pings * big_actors);
  for (auto& one : all)
    main->send(one, leave_atom::value);
  return figure;
}

behavior answerer(event_based_actor*) {
  return {
    [](ask_atom, uint64_t number) { return number; },
  };
}

struct asker_state {
  uint64_t left;
  uint64_t unanswered;
};

void ask_once(stateful_actor<asker_state>* self, const actor& of, const actor& main) {
  if (self->state.left == 0)
    return;
  self->request(of, infinite, ask_atom::value, --self->state.left).then([=](uint64_t) {
    if (--self->state.unanswered == 0)
      self->send(main, done_atom::value);
    else
      ask_once(self, of, main);
  });
}

behavior asker(stateful_actor<asker_state>* self, actor main, actor of, uint64_t count,
               uint64_t in_flight) {
  self->state.left = self->state.unanswered = count;
  return {
    [=](begin_atom) {
      for (uint64_t i = 0; i < in_flight; ++i)
        ask_once(self, of, main);
    },
  };
}

double ask(scoped_actor& main, uint64_t count, uint64_t in_flight) {
  auto of = main->spawn(answerer);
  auto asking = main->spawn(asker, actor_cast<actor>(main), of, count, in_flight);
  auto began = clock_type::now();
  main->send(asking, begin_atom::value);
  main->receive([](done_atom) {});
  return each(began, count);
}

double ask_from_outside(scoped_actor& main, uint64_t count) {
  auto of = main->spawn(answerer);
  auto began = clock_type::now();
  for (uint64_t i = 0; i < count; ++i)
    main->request(of, infinite, ask_atom::value, i).receive([](uint64_t) {}, [](error&) {});
  return each(began, count);
}

struct burner_state {
  uint64_t left;
  uint64_t state;
};

behavior burner(stateful_actor<burner_state>* self, actor main, uint64_t number, uint64_t count) {
  self->state.left = count;
  self->state.state = number + 13;
  return {
    [=](begin_atom) {
      self->state.state = burn(self->state.state);
      if (--self->state.left == 0)
        self->send(main, done_atom::value);
      else
        self->send(self, begin_atom::value);
    },
  };
}

double burning(scoped_actor& main, uint64_t count) {
  std::vector<actor> all;
  for (uint64_t i = 0; i < burners; ++i)
    all.push_back(main->spawn(burner, actor_cast<actor>(main), i, count));
  auto began = clock_type::now();
  for (auto& one : all)
    main->send(one, begin_atom::value);
  for (uint64_t i = 0; i < burners; ++i)
    main->receive([](done_atom) {});
  return each(began, count * burners);
}

behavior idler(event_based_actor*, std::shared_ptr<std::atomic<uint64_t>> begun) {
  return {
    [=](begin_atom) { begun->fetch_add(1); },
  };
}

double memory(scoped_actor& main, uint64_t count) {
  auto begun = std::make_shared<std::atomic<uint64_t>>(0);
  auto before = resident_bytes();
  std::vector<actor> all;
  all.reserve(count);
  for (uint64_t i = 0; i < count; ++i)
    all.push_back(main->spawn(idler, begun));
  for (auto& one : all)
    main->send(one, begin_atom::value);
  while (begun->load() < count)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
}

// A negative figure when there is no such pattern here.
double play(scoped_actor& main, const std::string& pattern, double scale) {
  auto of = [=](uint64_t usual) {
    return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(usual) * scale));
  };
  if (pattern == "ping-pong")
    return pass_round(main, 2, 2 * of(round_trips), of(round_trips));
  if (pattern == "one-way")
    return fan_in(main, 1, of(one_way));
  if (pattern == "fan-in")
    return fan_in(main, senders, of(fan_in_each));
  if (pattern == "ring")
    return pass_round(main, ring_actors, of(ring_hops), of(ring_hops));
  if (pattern == "fork-join")
    return fork_join(main, of(children));
  if (pattern == "big")
    return big(main, of(big_pings));
  if (pattern == "ask-1")
    return ask(main, of(asks), 1);
  if (pattern == "ask-100")
    return ask(main, of(many_asks), many);
  if (pattern == "ask-1-task")
    return ask_from_outside(main, of(asks));
  if (pattern == "burn")
    return burning(main, of(burns));
  return -1;
}

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

int run(const std::vector<std::string>& words) {
  actor_system_config config;
  config.set("scheduler.max-threads", size_t{1});
  if (words[0] == "local") {
    config.set("scheduler.max-threads", static_cast<size_t>(std::stoul(words[2])));
    actor_system system{config};
    auto scale = std::stod(words[3]);
    double figure = -1;
    {
      scoped_actor main{system};
      if (words[1] == "memory") {
        figure = memory(main, static_cast<uint64_t>(idlers * scale));
      } else {
        play(main, words[1], scale * warm_up);
        figure = play(main, words[1], scale);
      }
    }
    if (figure >= 0)
      std::printf("caf %s %s %.2f\n", words[1].c_str(), words[2].c_str(), figure);
    std::fflush(stdout);
    // Actors that wait for nobody are nothing to wait for.
    std::quick_exit(0);
  }
  config.load<io::middleman>();
  actor_system system{config};
  auto port = static_cast<uint16_t>(std::stoul(words[1]));
  if (words[0] == "serve") {
    auto serving = system.spawn(sink);
    if (!system.middleman().publish(serving, port, "127.0.0.1"))
      return 1;
    std::puts("listening");
    std::fflush(stdout);
    // Whoever started this has gone when its input ends.
    std::string line;
    while (std::getline(std::cin, line)) {
    }
    std::quick_exit(0);
  }
  auto code = measure(system, port, words[2], std::stoull(words[3]));
  std::fflush(stdout);
  std::quick_exit(code);
}

} // namespace

int main(int count, char** words) {
  if (count < 3)
    return 1;
  return run({words + 1, words + count});
}
