#include "tensor/dtype.h"

#include <array>

#include "base/error.h"

namespace assay {
namespace {

struct Facts {
  std::string_view name;
  int bits;
};

constexpr std::array<Facts, kDTypeCount> kFacts = {{
    {"float32", 32},  {"float16", 16}, {"int32", 32},     {"uint8", 8},         {"int64", 64},      {"string", 0},
    {"bool", 8},      {"int16", 16},   {"complex64", 64}, {"int8", 8},          {"float64", 64},    {"complex128", 128},
    {"uint64", 64},   {"resource", 0}, {"variant", 0},    {"uint32", 32},       {"uint16", 16},     {"int4", 4},
    {"bfloat16", 16}, {"int2", 2},     {"uint4", 4},      {"float8_e4m3fn", 8}, {"float8_e5m2", 8},
}};

const Facts& Of(DType dtype) {
  ASSAY_CHECK(static_cast<int>(dtype) < kDTypeCount);
  return kFacts[static_cast<size_t>(dtype)];
}

}  // namespace

std::string_view DTypeName(DType dtype) { return Of(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kFacts[static_cast<size_t>(i)].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int DTypeBits(DType dtype) { return Of(dtype).bits; }

uint64_t DTypeBytes(DType dtype, uint64_t count) {
  const auto bits = static_cast<uint64_t>(DTypeBits(dtype));
  return bits % 8 == 0 ? count * (bits / 8) : (count * bits + 7) / 8;
}

bool IsQuantizedInteger(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16 || dtype == DType::kInt4 ||
         dtype == DType::kUInt4 || dtype == DType::kInt2;
}

}  // namespace assay
