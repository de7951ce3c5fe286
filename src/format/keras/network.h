// The parts of reading a source: config to network, files to weights.
#pragma once

#include "format/keras/hdf5_file.h"
#include "format/keras/source.h"

namespace assay::keras {

// {"class_name": "Sequential" | "Functional" | "Model", "config": ...}
Network ParseNetwork(const Json& model);

// Weights of the .h5 form: a group per layer under `prefix`, which lists the names of its weights.
void AssignWeightsByLayer(const Hdf5File& file, const std::string& prefix, Network& network);

// Weights of the .keras form: a tree of objects, whose numbered variables lie in "vars".
void AssignWeightsByTree(const Hdf5File& file, const std::string& prefix, Network& network);

}  // namespace assay::keras
