#include "cli/load_model.h"

#include <fmt/core.h>

#include "convert/load_model.h"

namespace assay::cli {

std::shared_ptr<const graph::Model> LoadAndWarn(const std::string& path) {
  auto model = convert::LoadModel(path);
  for (const std::string& warning : model->warnings) fmt::print(stderr, "assay: {}: {}\n", path, warning);
  return model;
}

}  // namespace assay::cli
