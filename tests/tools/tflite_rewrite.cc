// tflite_rewrite [--behind] IN.tflite OUT.tflite: reads a model, writes it, reads it back and compares. For tests
// against LiteRT; --behind puts the constants behind the tables, as models beyond 2 GiB have them.
#include <fmt/core.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"
#include "graph/difference.h"

int main(int argc, char** argv) {
  std::vector<std::string> paths(argv + 1, argv + argc);
  assay::tflite::WriteOptions options;
  options.buffers_behind_tables = !paths.empty() && paths.front() == "--behind";
  if (options.buffers_behind_tables) paths.erase(paths.begin());
  if (paths.size() != 2) {
    fmt::print(stderr, "usage: tflite_rewrite [--behind] IN.tflite OUT.tflite\n");
    return 2;
  }
  try {
    const auto model = assay::tflite::ReadModel(paths[0]);
    for (const std::string& warning : model->warnings) fmt::print(stderr, "{}: warning: {}\n", paths[0], warning);
    assay::tflite::WriteModel(*model, paths[1], options);
    const std::string difference = assay::graph::FirstDifference(*model, *assay::tflite::ReadModel(paths[1]));
    if (!difference.empty()) {
      fmt::print(stderr, "{}: rewritten it differs: {}\n", paths[0], difference);
      return 1;
    }
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
