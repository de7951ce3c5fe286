// Writes .tflite models. The model is verified first; constants with the same bytes are stored once, each at a multiple
// of 16 bytes; one zero point that stands for many is written out, as LiteRT wants it. Where everything together would
// pass the 2 GiB that tables can address, constants lie behind the tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/model.h"

namespace assay::tflite {

struct WriteOptions {
  bool buffers_behind_tables = false;  // also where the model is small
  bool verify = true;                  // false: only for tests, which want broken models
};

// Throws InputError where the model breaks a rule, or holds what only a newer version knows.
std::vector<uint8_t> SerializeModel(const graph::Model& model, const WriteOptions& options = {});

// The file is whole or absent; it may be the one that the model was read from. Returns its bytes.
uint64_t WriteModel(const graph::Model& model, const std::string& path, const WriteOptions& options = {});

}  // namespace assay::tflite
