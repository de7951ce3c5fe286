// Files of TensorFlow: a graph or a SavedModel, parsed and lowered, or the index of a checkpoint. The first byte of the
// input says which.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "format/savedmodel/bundle.h"
#include "format/savedmodel/lower.h"
#include "format/savedmodel/source.h"
#include "graph/verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay::savedmodel;  // NOLINT(google-build-using-namespace): one function around them
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  try {
    if (data[0] == 'i') {
      Bundle bundle = Bundle::FromIndex(bytes, "/nowhere/variables", false);
      for (const auto& [key, entry] : bundle.entries()) {
        try {
          bundle.Read(key);
        } catch (const assay::Error& error) {
          if (error.code() != assay::ErrorCode::kInput) std::abort();
        }
      }
      return 0;
    }
    Source source = data[0] == 's' ? SourceFromSavedModel(bytes) : SourceFromGraph(bytes);
    if (source.signatures.empty()) return 0;
    const Lowered lowered =
        Lower(source, "graph", {.signature = source.signatures[0].key, .batch = {}, .input_shapes = {}});
    assay::graph::Verify(lowered.model);
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) std::abort();
  }
  return 0;
}
