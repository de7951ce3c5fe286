// The model that a verb is given.
#pragma once

#include <memory>
#include <string>

#include "graph/model.h"

namespace assay::cli {

// convert::LoadModel; what it warns of goes to stderr.
std::shared_ptr<const graph::Model> LoadAndWarn(const std::string& path);

}  // namespace assay::cli
