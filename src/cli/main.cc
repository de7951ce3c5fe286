// The program: parses the command line, runs one verb, turns errors into messages and exit codes.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <new>
#include <vector>

#include "base/error.h"
#include "base/version.h"
#include "cli/cli.h"
#include "numerics/profile.h"

namespace assay::cli {
namespace {

std::atomic<bool> interrupted{false};

void OnSignal(int signal) {
  // The second one ends the program at once.
  if (interrupted.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

std::string VersionText() {
  std::string text = fmt::format("assay {}\nbuild: {}, {}{}{}\nprofiles:", kVersion, kBuildType, kCompiler,
                                 kSanitizers.empty() ? "" : ", sanitizers ", kSanitizers);
  for (const numerics::Profile& profile : numerics::AllProfiles()) {
    text += fmt::format("\n  {:<15} {}{}", profile.alias, profile.id, profile.verified ? "" : " (unverified)");
  }
  return text;
}

// CLI11 says only what it could not parse; the nearest known verb or flag helps more.
std::string Explain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::string message = error.what();
  const CLI::App* verb = &app;
  for (const CLI::App* sub : app.get_subcommands()) verb = sub;
  std::vector<std::string> names;
  for (const CLI::Option* option : verb->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb == &app) names.push_back(sub->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (int i = 1; i < argc; ++i) {
    const std::string_view typed(argv[i]);
    const std::string_view word = typed.substr(0, typed.find('='));
    if (word.empty() || message.find(word) == std::string::npos) continue;
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    const std::string hint = NearestHint(word, known.data(), known.size());
    if (!hint.empty()) return fmt::format("{}: '{}'{}", message, word, hint);
  }
  return message;
}

int Main(int argc, char** argv) {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Where did my accuracy go, and how do I get it back? For TensorFlow Lite models.", "assay");
  app.set_version_flag("--version", VersionText());
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  Action action;
  AddRun(app, action);
  AddPreprocess(app, action);
  AddEvaluate(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "assay: {}\nRun 'assay --help' or 'assay VERB --help'.\n", Explain(app, error, argc, argv));
    return static_cast<int>(ErrorCode::kUsage);
  }
  try {
    const int code = action();
    if (std::fflush(stdout) != 0) throw InputError("stdout: cannot write");
    return code;
  } catch (const Error& error) {
    fmt::print(stderr, "assay: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "assay: out of memory\n");
    return static_cast<int>(ErrorCode::kInput);
  } catch (const std::exception& error) {
    fmt::print(stderr, "assay: internal error: {}; please report it\n", error.what());
    return static_cast<int>(ErrorCode::kInternal);
  }
}

}  // namespace

const std::atomic<bool>& Interrupted() { return interrupted; }

void Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw InputError("stdout: cannot write");
}

}  // namespace assay::cli

int main(int argc, char** argv) { return assay::cli::Main(argc, argv); }
