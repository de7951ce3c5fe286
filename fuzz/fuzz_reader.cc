// Any bytes: either one InputError, or a model that, written and read again, is the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"
#include "graph/difference.h"

namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

std::shared_ptr<const assay::graph::Model> Read(std::span<const uint8_t> bytes) {
  try {
    return assay::tflite::ReadModel(bytes, nullptr, "fuzzed");
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) Fail(error.what());
    return nullptr;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model = Read({data, size});
  if (model == nullptr || model->has_unknown_fields) return 0;
  // What was read can be written: an error here is ours.
  const std::vector<uint8_t> written = assay::tflite::SerializeModel(*model, {.buffers_behind_tables = size % 2 == 1});
  const auto again = Read(written);
  if (again == nullptr) Fail("the written model cannot be read");
  const std::string difference = assay::graph::FirstDifference(*model, *again);
  if (!difference.empty()) Fail("rewritten it differs: " + difference);
  return 0;
}
