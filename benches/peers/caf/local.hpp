// The patterns between actors of one OS process.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "common.hpp"

namespace {

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

} // namespace
