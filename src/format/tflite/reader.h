// Reads .tflite models. Nothing in them is trusted: the tables pass FlatBuffers' verifier, everything they say passes
// graph::Verify; what is wrong becomes an InputError with its place. Weights are not copied: constants point into the
// file, which stays open as long as anything of the model lives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/model.h"
#include "graph/verifier.h"

namespace assay::tflite {

using Limits = graph::Limits;

std::shared_ptr<const graph::Model> ReadModel(const std::string& path, const Limits& limits = {});

// The bytes of a model in memory; `name` stands for the path in messages.
std::shared_ptr<const graph::Model> ReadModel(std::vector<uint8_t> bytes, const std::string& name,
                                              const Limits& limits = {});
// The same without taking the bytes over: `owner` keeps them alive.
std::shared_ptr<const graph::Model> ReadModel(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner,
                                              const std::string& name, const Limits& limits = {});

}  // namespace assay::tflite
