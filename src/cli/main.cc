// The program: parses the command line, runs one verb, turns errors into messages and exit codes.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "base/version.h"
#include "cli/cli.h"
#include "cli/heap.h"
#include "cli/runtime_flags.h"
#include "kernels/simd/target.h"
#include "numerics/profile.h"

namespace assay::cli {
namespace {

std::atomic<bool> interrupted{false};
bool reader_is_gone = false;  // `assay ... | head`: nobody is left to be told

std::atomic<int64_t> first_signal_ms{0};

// A second one ends the program at once: one that a person sends. timeout(1) sends the same signal to the program and
// to its process group, so that one wish to stop arrives as two.
void OnSignal(int signal) {
  constexpr int64_t kSameWishMs = 250;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t now_ms = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  if (!interrupted.exchange(true)) {
    first_signal_ms = now_ms;
  } else if (now_ms - first_signal_ms > kSameWishMs) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

std::string VersionText() {
  std::string text = fmt::format("assay {}\nbuild: {}, {}{}{}\ninstruction set: {} (of {})\nprofiles:", kVersion,
                                 kBuildType, kCompiler, kSanitizers.empty() ? "" : ", sanitizers ", kSanitizers,
                                 kernels::simd::CurrentTarget(), fmt::join(kernels::simd::AvailableTargets(), ", "));
  for (const numerics::Profile& profile : numerics::AllProfiles()) {
    text += fmt::format("\n  {:<15} {}{}", profile.alias, profile.id, profile.verified ? "" : " (unverified)");
  }
  return text;
}

std::string Hint(const std::string& typed, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  return NearestHint(typed, views.data(), views.size());
}

// Unknown verbs and flags are named before anything else is complained about: CLI11 would first miss what is required.
void CheckNames(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> verbs;
  const CLI::App* verb = nullptr;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(sub->get_name());
    if (argc > 1 && sub->get_name() == argv[1]) verb = sub;
  }
  if (argc < 2) throw UsageError("no verb was given");
  if (verb == nullptr && argv[1][0] != '-') {
    throw UsageError("unknown verb '{}'{}", argv[1], Hint(argv[1], verbs));
  }
  const CLI::App* where = verb == nullptr ? &app : verb;
  std::vector<std::string> flags;
  for (const CLI::Option* option : where->get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  for (int i = verb == nullptr ? 1 : 2; i < argc; ++i) {
    const std::string typed(argv[i]);
    if (typed == "--") return;
    const std::string name = typed.substr(0, typed.find('='));
    const bool is_short = name.size() > 1 && name[0] == '-' && std::isalpha(static_cast<unsigned char>(name[1])) != 0;
    if (is_short ? name != "-h"
                 : name.starts_with("--") && std::find(flags.begin(), flags.end(), name) == flags.end()) {
      throw UsageError("unknown flag '{}'{}", name, Hint(is_short ? "-" + name : name, flags));
    }
  }
}

// CLI11 reads numbers as strtoull and strtold do: -5 as a huge count, more than 64 bits as their largest, nan as a
// bound that nothing misses. And a path that a shell made of an unset variable is none.
void CheckValues(CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.starts_with("UINT")) {
    option.check([](const std::string& text) {
      errno = 0;
      std::strtoull(text.c_str(), nullptr, 0);
      const bool is_odd = errno == ERANGE || text.find('-') != std::string::npos;
      return is_odd ? fmt::format("{} is not a number from 0 to {}", text, UINT64_MAX) : std::string();
    });
  } else if (type.starts_with("FLOAT")) {
    option.check([](const std::string& text) {
      return std::isfinite(std::strtod(text.c_str(), nullptr)) ? std::string() : text + " is not a finite number";
    });
  } else if (option.get_positional()) {
    option.check([](const std::string& text) { return text.empty() ? "is empty" : std::string(); });
  }
}

Error StdoutError() {
  reader_is_gone = errno == EPIPE;
  return InputError("stdout: cannot write");
}

int Main(int argc, char** argv) {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Where did my accuracy go, and how do I get it back? For TensorFlow Lite models.", "assay");
  app.set_version_flag("--version", VersionText);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  Action action;
  AddRun(app, action);
  AddInspect(app, action);
  AddPreprocess(app, action);
  AddEvaluate(app, action);
  AddCompare(app, action);
  AddConvert(app, action);
  AddQuantize(app, action);
  AddTune(app, action);
  AddDemo(app, action);
  AddBench(app, action);
  std::string isa;
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    verb->add_option("--isa", isa, "Instruction set of the vector kernels; see --version (default: the best here)");
    for (CLI::Option* option : verb->get_options()) CheckValues(*option);
  }
  const auto usage = [](const char* message) {
    fmt::print(stderr, "assay: {}\nRun 'assay --help' or 'assay VERB --help'.\n", message);
    return static_cast<int>(ErrorCode::kUsage);
  };
  try {
    CheckNames(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    // Help and version are results like any other: where they cannot be written, that is an error.
    std::ostringstream text;
    const int code = app.exit(success, text, text);
    action = [code, shown = text.str()] {
      Print(shown);
      return code;
    };
  } catch (const CLI::ParseError& error) {
    return usage(error.what());
  } catch (const Error& error) {
    return usage(error.what());
  }
  try {
    if (!isa.empty()) kernels::simd::ForceTarget(isa);
    kernels::simd::CurrentTarget();  // a wrong name in the environment ends here
    const int code = action();
    SavePackedCache();
    if (std::fflush(stdout) != 0) throw StdoutError();
    return code;
  } catch (const Error& error) {
    if (reader_is_gone) return static_cast<int>(error.code());
    // Names in it come from files. Its lines stay, behind the first one indented.
    std::string_view rest = error.what();
    for (std::string_view start = "assay: "; !start.empty(); start = rest.empty() ? "" : "  ") {
      const size_t end = std::min(rest.find('\n'), rest.size());
      fmt::print(stderr, "{}{}\n", start, CleanUtf8(rest.substr(0, end), "?"));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    fmt::print(stderr, "assay: internal error: {}; please report it\n", error.what());
    return static_cast<int>(ErrorCode::kInternal);
  }
}

}  // namespace

std::string NumericsHelp() {
  std::string list;
  for (const numerics::Profile& profile : numerics::AllProfiles())
    list += fmt::format("{}{}", list.empty() ? "" : ", ", profile.alias);
  return "Whose arithmetic: " + list;
}

const std::atomic<bool>& Interrupted() { return interrupted; }

void Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw StdoutError();
}

}  // namespace assay::cli

int main(int argc, char** argv) {
  assay::cli::ReserveHeap();
  try {
    return assay::cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("assay: out of memory\n", stderr);
    return static_cast<int>(assay::ErrorCode::kInput);
  }
}
