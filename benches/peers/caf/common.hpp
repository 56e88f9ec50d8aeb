// What the parts of this peer share: counts, clock, memory, the names of messages.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
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

} // namespace
