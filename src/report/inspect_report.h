// What `assay inspect` says, as text, as JSON and as a picture.
#pragma once

#include <string>

#include "runtime/inspect_model.h"

namespace assay::report {

// `model` is the path as it was typed.
std::string InspectText(const std::string& model, const runtime::ModelFacts& facts);
std::string InspectJson(const std::string& model, const runtime::ModelFacts& facts);

// The graphs as one self-contained SVG file. Large graphs are drawn with several ops to a box, and the picture says so.
std::string InspectSvg(const std::string& model, const runtime::ModelFacts& facts);

}  // namespace assay::report
