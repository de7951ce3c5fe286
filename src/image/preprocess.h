// The --preprocess specification: "decode=opencv,crop=0.875,resize=224x224:opencv-linear,scale=1/127.5,offset=-1".
// Steps run from left to right; arithmetic is float32, each step rounded once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "image/decode.h"
#include "image/resize.h"
#include "tensor/array.h"

namespace assay {

struct DecodeStep {
  Decoder decoder = Decoder::kOpencv;
  bool operator==(const DecodeStep&) const = default;
};

// Central. Either a fraction of both sides, or width and height.
struct CropStep {
  double fraction = 0;  // 0: the sides below count
  int32_t width = 0, height = 0;
  bool operator==(const CropStep&) const = default;
};

struct ResizeStep {
  int32_t shorter = 0;  // the shorter side's new length, the aspect kept; 0: the sides below count
  int32_t width = 0, height = 0;
  ResizeMethod method;
  bool operator==(const ResizeStep&) const = default;
};

enum class ColorOrder : uint8_t { kRgb, kBgr, kGrey };
struct ColorStep {
  ColorOrder order = ColorOrder::kRgb;
  bool operator==(const ColorStep&) const = default;
};

enum class AffineKind : uint8_t { kScale, kOffset, kMean, kStd };  // x * v, x + v, x - v, x / v
struct AffineStep {
  AffineKind kind = AffineKind::kScale;
  std::vector<float> values;  // one, or one per channel
  bool operator==(const AffineStep&) const = default;
};

using PreprocessStep = std::variant<DecodeStep, CropStep, ResizeStep, ColorStep, AffineStep>;

struct Pipeline {
  std::vector<PreprocessStep> steps;

  // The canonical form: parsing it gives an equal pipeline, and equal pipelines have equal forms.
  std::string ToString() const;
  // OpenCV where no decode step says otherwise.
  Decoder decoder() const;
  // The result is float32 whatever the input; otherwise the 8-bit pixels stay as they are.
  bool is_real() const;
  // Has decode, crop, resize or color steps, which mean nothing for data that are no pictures.
  bool needs_picture() const;
  bool operator==(const Pipeline&) const = default;
};

// Throws UsageError naming the step and the nearest known one. The empty text is the empty pipeline.
Pipeline ParsePreprocess(std::string_view text);

// All steps after decoding. With picture steps the array is [height, width, 3 or 1] uint8 or float32; otherwise it has
// any shape and any real type, its last dimension being the channels. Throws InputError where this array does not fit a
// step (a crop larger than the picture, three values for one channel) or a
// resize would make, even between its two passes, more pixels than the limit.
Array ApplyPreprocess(const Pipeline& pipeline, Array array, const DecodeLimits& limits = {});

// Decodes, then applies. Errors name the path (or `name`).
Array PreprocessImageFile(const Pipeline& pipeline, const std::string& path, const DecodeLimits& limits = {});
Array PreprocessImage(const Pipeline& pipeline, std::span<const uint8_t> bytes, const std::string& name,
                      const DecodeLimits& limits = {});

}  // namespace assay
