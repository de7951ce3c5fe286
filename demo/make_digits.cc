// Writes generated digits as idx files, for the training script: make_digits IMAGES.idx LABELS.idx SEED COUNT
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/error.h"
#include "demo/digits.h"

namespace {

uint64_t ParseNumber(std::string_view name, std::string_view text, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) {
    throw assay::UsageError("{} is '{}', not a number from 0 to {}", name, text, most);
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 5) throw assay::UsageError("usage: make_digits IMAGES.idx LABELS.idx SEED COUNT");
    const uint64_t seed = ParseNumber("SEED", argv[3], UINT64_MAX);
    const uint64_t count = ParseNumber("COUNT", argv[4], 1000000);
    assay::demo::WriteIdx(assay::demo::GenerateDigits(seed, static_cast<int64_t>(count)), argv[1], argv[2]);
    return 0;
  } catch (const assay::Error& error) {
    fmt::print(stderr, "make_digits: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
