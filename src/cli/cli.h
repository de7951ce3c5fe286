// What the verbs share: how they register, the streams' habits, interruption.
#pragma once

#include <atomic>
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace assay::cli {

// A verb adds its subcommand and stores what to do in `action`; the action returns the exit code (0, or 1 for a failed
// gate) and throws Error for everything else.
using Action = std::function<int()>;

void AddBench(CLI::App& app, Action& action);
void AddCompare(CLI::App& app, Action& action);
void AddConvert(CLI::App& app, Action& action);
void AddDemo(CLI::App& app, Action& action);
void AddEvaluate(CLI::App& app, Action& action);
void AddInspect(CLI::App& app, Action& action);
void AddPreprocess(CLI::App& app, Action& action);
void AddQuantize(CLI::App& app, Action& action);
void AddRun(CLI::App& app, Action& action);
void AddTune(CLI::App& app, Action& action);

// What --numerics takes, for the help texts.
std::string NumericsHelp();

// Set by SIGINT and SIGTERM; long work polls it.
const std::atomic<bool>& Interrupted();

// Writes to stdout; throws InputError where that fails (a full disk behind a redirection).
void Print(const std::string& text);

}  // namespace assay::cli
