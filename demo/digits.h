// Digits that look hand-written, drawn by the program itself: strokes with random pen, slant, position, light and
// noise. The same seed gives the same bytes on every machine: only IEEE + - * / and sqrt on doubles, and random numbers
// of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::demo {

inline constexpr int kDigitSide = 28;
inline constexpr int kDigitPixels = kDigitSide * kDigitSide;
inline constexpr int kDigitClasses = 10;

struct DigitSet {
  std::vector<uint8_t> images;  // [count, 28, 28], grey: light ink on a dark ground
  std::vector<uint8_t> labels;  // [count], 0 to 9

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
};

// `count` digits, every class equally often (the first classes once more where ten does not divide `count`), shuffled.
DigitSet GenerateDigits(uint64_t seed, int64_t count);

// Writes the two files of the MNIST format (idx3 of images, idx1 of labels). Throws InputError where a file cannot be.
void WriteIdx(const DigitSet& digits, const std::string& images_path, const std::string& labels_path);

}  // namespace assay::demo
