// A preprocessing specification and a picture: parsed, decoded and run. The input is one byte for the specification's
// length, the specification, and the picture's bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/error.h"
#include "image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t spec_size = std::min<size_t>(data[0], size - 1);
  const std::string_view spec(reinterpret_cast<const char*>(data + 1), spec_size);
  const std::span<const uint8_t> picture(data + 1 + spec_size, size - 1 - spec_size);
  constexpr assay::DecodeLimits kLimits{1 << 16, 1 << 20, 10};
  assay::Pipeline pipeline;
  try {
    pipeline = assay::ParsePreprocess(spec);
    if (assay::ParsePreprocess(pipeline.ToString()) != pipeline) std::abort();
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kUsage) std::abort();
  }
  try {
    const assay::Array result = assay::PreprocessImage(pipeline, picture, "picture", kLimits);
    if ((result.dtype() == assay::DType::kFloat32) != pipeline.is_real()) std::abort();
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) std::abort();
  }
  return 0;
}
