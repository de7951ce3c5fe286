// Any bytes as a picture, through each library's decoder: pixels or an InputError.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const assay::DecodeLimits limits = {.max_pixels = 1 << 18};
  for (const assay::Decoder decoder : {assay::Decoder::kOpencv, assay::Decoder::kPillow, assay::Decoder::kTensorflow}) {
    try {
      assay::DecodeImage({data, size}, "fuzzed", decoder, limits);
    } catch (const assay::Error& error) {
      if (error.code() != assay::ErrorCode::kInput) {
        std::fprintf(stderr, "%s\n", error.what());
        std::abort();
      }
    }
  }
  return 0;
}
