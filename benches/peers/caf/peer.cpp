// CAF actors (0.17, as Debian has it): event-based ones that send and request. Called as the peers
// in Rust are (see common/src/lib.rs).
#include "local.hpp"
#include "remote.hpp"

namespace {

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
