// The one way by which verbs get a model: a .tflite file, or a trained model that is converted on the way.
#pragma once

#include <memory>
#include <string>

#include "graph/model.h"

namespace assay::convert {

enum class FileKind { kTflite, kKeras, kTensorFlow };

// By what the file starts with; its name does not matter. A folder is a SavedModel where it holds a saved_model.pb.
FileKind KindOf(const std::string& path);

// .tflite as it is; .h5, .keras, SavedModels and frozen graphs converted with all passes and an open batch. Throws
// InputError.
std::shared_ptr<const graph::Model> LoadModel(const std::string& path);

}  // namespace assay::convert
