// make_seeds FOLDER: writes the models that the fuzzing of the reader starts from.
#include <fmt/core.h>

#include <string>

#include "base/error.h"
#include "format/tflite/test_models.h"
#include "format/tflite/writer.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  try {
    assay::tflite::WriteModel(assay::tflite::SmallModel(), folder + "small.tflite");
    assay::tflite::WriteModel(assay::tflite::RichModel(), folder + "rich.tflite");
    assay::tflite::WriteModel(assay::tflite::RichModel(), folder + "rich_behind.tflite",
                              {.buffers_behind_tables = true});
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
